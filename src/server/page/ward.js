// The ward screen: a grid of sectors that fills the screen, in the order and with the filter that the user chose.

import { compareUrgency, urgency } from "./alarms.js";
import { byId, make, mark, put } from "./dom.js";
import { Sector } from "./sector.js";
import { setting } from "./settings.js";
import { say, shown } from "./words.js";

/** The best shape of a sector, and its least size in CSS pixels at a letter of 16: below that, the page scrolls. */
const BEST = { width: 21, height: 11 };
const LEAST = { width: 126, height: 72 };
/**
 * How a sector looks with so much room, the first that fits, and its letters as a part of its height and width. All
 * sectors are alike, so this is worked out once for all: sectors that ask for their own size take three times as long.
 */
const SHAPES = [
  { name: "tall", fits: (width, height) => width <= 1.6 * height && width >= 200 && height >= 150, of: [0.086, 0.055] },
  { name: "large", fits: (width, height) => width >= 400 && height >= 230, of: [0.096, 0.0465] },
  { name: "middle", fits: (width, height) => width >= 250 && height >= 130, of: [0.1, 0.0465] },
  { name: "small", fits: () => true, of: [0.116, 0.061] },
];
const LEAST_LETTER = 9;
const GAP = 4;
/** Below this width the sectors stand in one column and the page scrolls. */
const PHONE_WIDTH = 600;

export class WardScreen {
  constructor(ward, root) {
    this.ward = ward;
    this.root = root;
    this.sectors = new Map();
    this.order = [];
    this.columns = 1;
    this.letter = 1;
    this.grid = make("ul", { class: "grid", role: "list" });
    this.empty = make("p", { class: "empty", hidden: true });
    this.title = make("h1", { class: "said" });
    this.node = make("div", { class: "ward" }, this.title, this.empty, this.grid);
    this.ofWard = byId("of-ward");
    this.ofText = byId("of-text");
    this.ofWard.addEventListener("change", () => this.show(null));
    this.ofText.addEventListener("input", () => this.show(null));
    this.grid.addEventListener("keydown", (event) => this.move(event));
    this.grid.addEventListener("focusin", (event) => this.choose(event.target.closest(".sector")));
    this.width = innerWidth;
    this.height = innerHeight;
    // The room is told by the browser: to ask for it would lay the whole grid out, at each update.
    new ResizeObserver(([{ contentRect }]) => this.resize(contentRect)).observe(root);
  }

  /** Takes the changes of these patients over, or of all where `ids` is null. */
  show(ids) {
    put(this.title, say("ward"));
    for (const id of ids ?? this.ward.beds.keys()) this.showSector(id);
    if (ids === null) this.showFilter();
    this.arrange();
  }

  showSector(id) {
    const bed = this.ward.beds.get(id);
    if (!bed) return;
    if (!this.sectors.has(id)) this.sectors.set(id, new Sector(id));
    this.sectors.get(id).show(bed, this.ward);
  }

  showFilter() {
    const wards = [...new Set([...this.ward.beds.values()].map((bed) => bed.ward))].sort(compareTexts);
    const key = JSON.stringify([wards, say("filter.all")]);
    if (key === this.wardsShown) return;
    this.wardsShown = key;
    const chosen = this.ofWard.value;
    const option = (value, text) => make("option", { value }, text);
    this.ofWard.replaceChildren(
      option("", say("filter.all")),
      ...wards.map((name) => option(JSON.stringify(name), name === null ? say("filter.none") : shown(name))),
    );
    this.ofWard.value = chosen;
    if (this.ofWard.selectedIndex < 0) this.ofWard.value = "";
    this.ofWard.hidden = wards.length < 2;
  }

  /** Puts the sectors in order; nodes move only where the order has changed, and the one in focus keeps it. */
  arrange() {
    const order = this.chosenBeds().map((bed) => bed.patient_id);
    if (order.length === this.order.length && order.every((id, at) => id === this.order[at])) return;
    const focused = document.activeElement?.closest?.(".sector");
    for (const id of [...this.sectors.keys()]) if (!this.ward.beds.has(id)) this.sectors.delete(id);
    const nodes = order.map((id) => this.sectors.get(id).node);
    nodes.forEach((node, at) => {
      if (this.grid.children[at] !== node) this.grid.insertBefore(node, this.grid.children[at] ?? null);
    });
    while (this.grid.children.length > nodes.length) this.grid.lastElementChild.remove();
    this.order = order;
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
    this.choose(this.sectors.get(this.chosen)?.link ?? this.grid.querySelector(".sector"));
    this.fit();
  }

  chosenBeds() {
    const text = this.ofText.value.trim().toLocaleLowerCase();
    const ward = this.ofWard.value;
    const beds = [...this.ward.beds.values()].filter(
      (bed) =>
        (ward === "" || JSON.stringify(bed.ward) === ward) &&
        (text === "" ||
          [bed.name, bed.bed, bed.patient_id].some((part) => part?.toLocaleLowerCase().includes(text))),
    );
    this.empty.hidden = beds.length > 0;
    put(this.empty, say(this.emptyWord()));
    const sort = setting("sort") || (this.isPhone() ? "alarm" : "bed");
    if (sort === "bed") return beds.sort(compareBeds);
    const ranks = new Map(beds.map((bed) => [bed, urgency(bed, this.ward)]));
    return beds.sort((a, b) => compareUrgency(ranks.get(a), ranks.get(b)) || compareBeds(a, b));
  }

  emptyWord() {
    if (!this.ward.hasCome) return "beds.waiting";
    return this.ward.beds.size === 0 ? "beds.none" : "filter.nobody";
  }

  isPhone() {
    return this.width < PHONE_WIDTH;
  }

  resize({ width, height }) {
    const wasPhone = this.isPhone();
    this.width = width;
    this.height = height;
    this.letter = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
    if (this.isPhone() !== wasPhone) this.arrange();
    this.fit();
  }

  /** Chooses the columns that leave each sector the most room; where all do not fit, the grid scrolls. */
  fit() {
    const { width, height } = this;
    const least = { width: LEAST.width * this.letter, height: LEAST.height * this.letter };
    const { columns, cell } = this.isPhone()
      ? { columns: 1, cell: null }
      : shapeOf(this.order.length, width, height, least);
    const shape = cell && SHAPES.find(({ fits }) => fits(cell.width, cell.height));
    const letter = cell && Math.max(LEAST_LETTER, Math.min(shape.of[0] * cell.height, shape.of[1] * cell.width));
    this.columns = columns;
    this.grid.style.setProperty("--columns", columns);
    this.grid.style.setProperty("--row", cell ? `${cell.height}px` : "auto");
    this.grid.style.fontSize = cell ? `${letter.toFixed(2)}px` : "";
    mark(this.grid, "shape", shape ? shape.name : "list");
  }

  /** The one sector that the tabulator key reaches; arrow keys go to the others. */
  choose(link) {
    if (!link) return;
    const before = this.sectors.get(this.chosen)?.link;
    if (before && before !== link) before.tabIndex = -1;
    for (const { link: other } of this.sectors.values()) if (other !== link && other.tabIndex !== -1) other.tabIndex = -1;
    link.tabIndex = 0;
    this.chosen = link.dataset.patient;
  }

  focusOn(id) {
    const link = this.sectors.get(id)?.link ?? this.grid.querySelector(".sector");
    this.choose(link);
    link?.focus();
  }

  move(event) {
    const at = this.order.indexOf(this.chosen);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns };
    let to = at + (steps[event.key] ?? 0);
    if (event.key === "Home") to = 0;
    if (event.key === "End") to = this.order.length - 1;
    if (to === at || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (this.order[to] !== undefined) this.focusOn(this.order[to]);
  }
}

/** The columns and the size of a sector for so many on so much room. */
export function shapeOf(count, width, height, least) {
  let best = null;
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const cell = cellOf(columns, Math.ceil(count / columns), width, height);
    const scale = Math.min(cell.width / BEST.width, cell.height / BEST.height);
    const fits = cell.width >= least.width && cell.height >= least.height;
    if (fits && (best === null || scale > best.scale)) best = { columns, cell, scale };
  }
  if (best) return best;
  const columns = Math.max(1, Math.floor((width + GAP) / (least.width * 1.2 + GAP)));
  return { columns, cell: { width: cellOf(columns, 1, width, height).width, height: Math.ceil(least.height * 1.25) } };
}

const cellOf = (columns, rows, width, height) => ({
  width: Math.floor((width + GAP) / columns) - GAP,
  height: Math.floor((height + GAP) / rows) - GAP,
});

const collator = new Intl.Collator(undefined, { numeric: true });

/** Nothing comes after something. */
function compareTexts(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return collator.compare(a, b);
}

const compareBeds = (a, b) =>
  compareTexts(a.ward, b.ward) || compareTexts(a.bed, b.bed) || collator.compare(a.patient_id, b.patient_id);
