// Makes and changes parts of the page. Text goes in as text only: names and ids come from outside and can hold anything.

/** A new element with its attributes and children; a child is an element or a text, and nothing where it is null. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** The text that each node has got last: to ask the node itself takes ten times as long. */
const texts = new WeakMap();

/** Gives a node its text, and touches it only where that changes: a ward has over a thousand such nodes. */
export function put(node, text) {
  if (texts.get(node) === text) return;
  texts.set(node, text);
  node.textContent = text;
}

/** Sets a data attribute, or takes it away where the value is null. */
export function mark(element, name, value) {
  const attribute = `data-${name}`;
  const before = element.getAttribute(attribute);
  if (value === null || value === undefined) {
    if (before !== null) element.removeAttribute(attribute);
  } else if (before !== value) {
    element.setAttribute(attribute, value);
  }
}

/** Sets an attribute where it is not so already. */
export function attribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export const byId = (id) => document.getElementById(id);
