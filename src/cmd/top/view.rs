//! What is seen of the board: keys in, an order and a choice of patients out.

use std::cmp::Reverse;

use super::patients::{Patient, Patients};
use crate::output::Key;

/// The longest text to filter by: as long as the longest patient id.
const MAX_FILTER_CHARS: usize = 64;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// The most pressing alarm first.
    #[default]
    Alarm,
    Patient,
    /// The longest silent first.
    Silence,
    /// The highest heart rate first.
    HeartRate,
    /// The lowest oxygen saturation first.
    Spo2,
}

impl Sort {
    /// What the screen calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Patient => "patient",
            Self::Silence => "longest silent",
            Self::HeartRate => "heart rate",
            Self::Spo2 => "SpO2",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Alarm => Self::Patient,
            Self::Patient => Self::Silence,
            Self::Silence => Self::HeartRate,
            Self::HeartRate => Self::Spo2,
            Self::Spo2 => Self::Alarm,
        }
    }

    /// Sorts `patients`; those that are equal by id, and those without the value last.
    pub(super) fn apply(self, patients: &mut [&Patient]) {
        // Two stable steps: the id decides where the second leaves it open.
        patients.sort_unstable_by_key(|patient| patient.id());
        match self {
            Self::Patient => {}
            Self::Silence => patients.sort_by_key(|patient| patient.last_micros()),
            Self::HeartRate => patients.sort_by_key(|patient| Reverse(patient.signs.heart_rate)),
            Self::Spo2 => patients.sort_by_key(|patient| patient.signs.spo2.map_or((true, 0), |spo2| (false, spo2))),
            Self::Alarm => patients.sort_by_key(|patient| Reverse(patient.pressure())),
        }
    }
}

/// What a key asks of the program beyond a new drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Draw,
    /// Stop or go on with showing what is new.
    Pause,
    Quit,
}

/// How many patients there are to see, and how many of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// Patients that pass the filter.
    pub(super) patients: usize,
    pub(super) lines: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) sort: Sort,
    /// Only patients whose id, name, ward or bed has this in it, whatever the case.
    pub(super) filter: String,
    /// Whether letters go into the filter.
    pub(super) typing: bool,
    pub(super) only_alarms: bool,
    pub(super) help: bool,
    /// How many patients stand above the first line.
    pub(super) scroll: usize,
}

impl View {
    /// Takes a key; the `page` is what is seen now.
    pub(super) fn press(&mut self, key: Key, page: Page) -> Action {
        let mut action = Action::Draw;
        if key == Key::Interrupt {
            action = Action::Quit;
        } else if self.typing {
            self.edit(key);
        } else {
            action = self.command(key, page.lines);
        }
        self.keep_on(page);
        action
    }

    /// Keeps the view on the patients that there are.
    pub(super) fn keep_on(&mut self, page: Page) {
        self.scroll = self.scroll.min(page.patients.saturating_sub(page.lines));
    }

    fn edit(&mut self, key: Key) {
        match key {
            Key::Char(letter) if self.filter.chars().count() < MAX_FILTER_CHARS => self.filter.push(letter),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Enter => self.typing = false,
            Key::Escape => {
                self.filter.clear();
                self.typing = false;
            }
            _ => {}
        }
    }

    fn command(&mut self, key: Key, lines: usize) -> Action {
        match key {
            Key::Escape if self.help => self.help = false,
            Key::Escape if !self.filter.is_empty() => self.filter.clear(),
            Key::Char('q') | Key::Escape => return Action::Quit,
            Key::Char('p' | ' ') => return Action::Pause,
            Key::Char('s') => self.sort = self.sort.next(),
            Key::Char('/') => self.typing = true,
            Key::Char('a') => self.only_alarms = !self.only_alarms,
            Key::Char('?' | 'h') => self.help = !self.help,
            Key::Up => self.scroll = self.scroll.saturating_sub(1),
            Key::Down => self.scroll = self.scroll.saturating_add(1),
            Key::PageUp => self.scroll = self.scroll.saturating_sub(lines),
            Key::PageDown => self.scroll = self.scroll.saturating_add(lines),
            Key::Home => self.scroll = 0,
            Key::End => self.scroll = usize::MAX,
            _ => {}
        }
        Action::Draw
    }

    pub(super) fn choose<'a>(&self, patients: &'a Patients) -> Vec<&'a Patient> {
        let mut chosen: Vec<_> = self.passing(patients).collect();
        self.sort.apply(&mut chosen);
        chosen
    }

    pub(super) fn count(&self, patients: &Patients) -> usize {
        self.passing(patients).count()
    }

    fn passing<'a>(&self, patients: &'a Patients) -> impl Iterator<Item = &'a Patient> {
        let (only_alarms, wanted) = (self.only_alarms, self.filter.to_lowercase());
        patients.all().filter(move |patient| {
            (!only_alarms || patient.priority().is_some())
                && (wanted.is_empty()
                    || patient.id().to_lowercase().contains(&wanted)
                    || patient.who().to_lowercase().contains(&wanted))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Limits;
    use crate::alarm::rules::RuleSet;
    use crate::reading::{PatientId, Reading, Signs, Timestamp};

    const PAGE: Page = Page { patients: 30, lines: 10 };

    /// Four patients, by id, heart rate, oxygen saturation and the second of their last reading.
    fn ward() -> Patients {
        let mut patients = Patients::new(RuleSet::classic(Limits::default()));
        for (id, heart_rate, spo2, second) in [
            ("Ann", Some(80), Some(98), 4),
            ("Bob", Some(120), Some(97), 1),
            ("Cy", Some(125), None, 2),
            ("Dan", None, Some(90), 3),
        ] {
            let time = Timestamp::parse(&format!("2025-10-26T10:30:0{second}Z")).expect("a time");
            let signs = Signs { heart_rate, spo2, temperature: Some(36.8), ..Signs::default() };
            let reading = Reading::new(PatientId::parse(id).expect("an id"), time, signs).expect("a reading");
            patients.hear(reading, &[], 0);
        }
        patients
    }

    fn shown(view: &View) -> Vec<String> {
        view.choose(&ward()).iter().map(|patient| patient.id().to_owned()).collect()
    }

    fn pressed(keys: &[Key]) -> (View, Action) {
        let mut view = View::default();
        let mut action = Action::Draw;
        for key in keys {
            action = view.press(*key, PAGE);
        }
        (view, action)
    }

    fn typed(text: &str) -> Vec<Key> {
        text.chars().map(Key::Char).collect()
    }

    #[test]
    fn s_goes_through_the_orders_and_back_to_the_first() {
        let orders = [
            (Sort::Alarm, ["Dan", "Bob", "Cy", "Ann"]),
            (Sort::Patient, ["Ann", "Bob", "Cy", "Dan"]),
            (Sort::Silence, ["Bob", "Cy", "Dan", "Ann"]),
            (Sort::HeartRate, ["Cy", "Bob", "Ann", "Dan"]),
            (Sort::Spo2, ["Dan", "Bob", "Ann", "Cy"]),
            (Sort::Alarm, ["Dan", "Bob", "Cy", "Ann"]),
        ];
        for (presses, (sort, order)) in orders.iter().enumerate() {
            let view = pressed(&vec![Key::Char('s'); presses]).0;
            assert_eq!((view.sort, shown(&view)), (*sort, order.map(str::to_owned).to_vec()), "{presses}");
        }
    }

    #[test]
    fn a_filter_is_typed_whatever_letters_it_has_and_enter_keeps_it() {
        let (view, _) = pressed(&[typed("/bq"), vec![Key::Backspace, Key::Enter]].concat());
        assert_eq!((view.filter.as_str(), view.typing), ("b", false));
        assert_eq!(shown(&view), ["Bob"]);
    }

    #[test]
    fn escape_ends_what_is_open_first_and_the_program_last() {
        let mut view = pressed(&typed("?/b")).0;
        assert_eq!(view.press(Key::Escape, PAGE), Action::Draw);
        assert!(view.filter.is_empty() && !view.typing && view.help);
        assert_eq!(view.press(Key::Escape, PAGE), Action::Draw);
        assert!(!view.help);
        assert_eq!(view.press(Key::Escape, PAGE), Action::Quit);
    }

    #[test]
    fn q_and_ctrl_c_end_it_and_p_and_space_pause_but_only_ctrl_c_does_while_typing() {
        for (keys, action) in [
            (vec![Key::Char('q')], Action::Quit),
            (vec![Key::Char('/'), Key::Char('q')], Action::Draw),
            (vec![Key::Char('/'), Key::Interrupt], Action::Quit),
            (vec![Key::Char('p')], Action::Pause),
            (vec![Key::Char(' ')], Action::Pause),
        ] {
            assert_eq!(pressed(&keys).1, action, "{keys:?}");
        }
    }

    #[test]
    fn a_shows_only_patients_with_an_alarm() {
        assert_eq!(shown(&pressed(&[Key::Char('a')]).0), ["Dan", "Bob", "Cy"]);
    }

    #[test]
    fn scrolling_stays_on_the_patients() {
        let scroll = |keys: &[Key]| pressed(keys).0.scroll;
        assert_eq!(scroll(&[Key::Up]), 0);
        assert_eq!(scroll(&[Key::Down, Key::Down]), 2);
        assert_eq!(scroll(&[Key::PageDown]), 10);
        assert_eq!(scroll(&[Key::PageDown, Key::PageDown, Key::PageDown, Key::Up]), 19);
        assert_eq!(scroll(&[Key::End]), 20);
        assert_eq!(scroll(&[Key::End, Key::Home]), 0);
        let mut view = pressed(&[Key::End]).0;
        view.keep_on(Page { patients: 5, lines: 10 });
        assert_eq!(view.scroll, 0);
    }
}
