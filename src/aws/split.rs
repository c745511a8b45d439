//! Where in the list of an answer, GetRecords' `Records` or ReceiveMessage's `Messages`, one element ends and the next begins: found as
//! the text comes, however it is cut. Such an answer may be several times what is made of it, and need never be there as a whole.
//!
//! It knows of JSON what that takes: strings, nesting, the names of the outermost members. What it finds is read by those
//! who know all of it, so that what is no JSON is refused by them.

use memchr::memchr2;

/// An answer under way, of which one member's list is taken apart.
#[derive(Debug)]
pub(super) struct Apart {
    split: Split,
    /// The answer without the list's elements: the list is an empty one in it.
    rest: Vec<u8>,
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// With what is left of the text an element begins, which is no number and no word.
    Begins,
    /// The next of an element; where it ends there may be nothing more of it.
    Element {
        text: &'a [u8],
        /// It ends here.
        ends: bool,
    },
    /// The elements do not make a list: nothing behind it is an element.
    Wrong,
}

impl Apart {
    /// An answer that has a list of this name.
    pub(super) fn of(list: &'static str) -> Self {
        Self {
            split: Split::of(list),
            rest: Vec::new(),
        }
    }

    /// The next that there is of the list in `text`, which goes on behind it; nothing where the text is used up.
    pub(super) fn next<'a>(&mut self, text: &mut &'a [u8]) -> Option<Part<'a>> {
        while !text.is_empty() {
            let (length, run) = self.split.next(text);
            let (part, behind) = text.split_at(length);
            *text = behind;
            match run {
                Run::Answer => self.rest.extend_from_slice(part),
                Run::Between => {}
                Run::Begins => return Some(Part::Begins),
                Run::Element { ends } => return Some(Part::Element { text: part, ends }),
                Run::Wrong => return Some(Part::Wrong),
            }
        }
        None
    }

    /// Who was told that an element begins has read it, and goes on behind it.
    pub(super) fn passed(&mut self) {
        debug_assert!(matches!(self.split.place, Place::Element) && self.split.inner == 0);
        self.split.place = Place::After;
    }

    /// What the answer says beside the list, at its end.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }
}

/// What the next of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// Of the answer, apart from the elements.
    Answer,
    /// Between two elements, up to the next.
    Begins,
    /// Of an element.
    Element { ends: bool },
    /// Between two elements: nobody needs it.
    Between,
    /// The elements do not make a list.
    Wrong,
}

/// How far a text is.
#[derive(Debug)]
struct Split {
    /// The member that is taken apart.
    list: &'static [u8],
    place: Place,
    string: Text,
    /// So many lists and objects are open around the place.
    depth: usize,
    /// And so many in the element.
    inner: usize,
    /// The answer is an object, as it should be.
    named: bool,
    name: Name,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Answer,
    /// In the list, where an element begins; or, before the first, the list ends.
    Before {
        first: bool,
    },
    /// In an element that has an end of its own.
    Element,
    /// In a number, or a word, for an element: it ends before what can not be a part of it.
    Bare,
    After,
    Wrong,
}

/// Whether the place is in a string, and what comes next is taken as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    Escaped,
}

/// The name of an outermost member.
#[derive(Debug, Default)]
enum Name {
    #[default]
    Nothing,
    /// The next string is one.
    Due,
    /// As far as it has come.
    Comes(Vec<u8>),
    /// It is the list's, which is due.
    List,
}

impl Split {
    fn of(list: &'static str) -> Self {
        Self {
            list: list.as_bytes(),
            place: Place::default(),
            string: Text::default(),
            depth: 0,
            inner: 0,
            named: false,
            name: Name::default(),
        }
    }

    /// What the beginning of `text` is, and how many bytes of it. None is possible: what is there is something
    /// else from here on.
    fn next(&mut self, text: &[u8]) -> (usize, Run) {
        match self.place {
            Place::Answer => (self.answer(text), Run::Answer),
            Place::Before { first } => self.before(text, first),
            Place::Element => self.element(text),
            Place::Bare => {
                let is_end = |byte: &u8| is_blank(*byte) || b",]}".contains(byte);
                let end = text.iter().position(is_end);
                if end.is_some() {
                    self.place = Place::After;
                }
                let ends = end.is_some();
                (end.unwrap_or(text.len()), Run::Element { ends })
            }
            Place::After => {
                let blanks = blanks(text);
                match text.get(blanks) {
                    None => (blanks, Run::Between),
                    Some(b',') => {
                        self.place = Place::Before { first: false };
                        (blanks + 1, Run::Between)
                    }
                    Some(b']') => self.list_ends(blanks),
                    Some(_) => self.wrong(text),
                }
            }
            Place::Wrong => (text.len(), Run::Wrong),
        }
    }

    fn before(&mut self, text: &[u8], first: bool) -> (usize, Run) {
        let blanks = blanks(text);
        match text.get(blanks) {
            None => {}
            Some(b']') if first => return self.list_ends(blanks),
            Some(b',' | b']' | b'}' | b':') => return self.wrong(text),
            Some(b'{' | b'[' | b'"') => {
                (self.place, self.inner) = (Place::Element, 0);
                return (blanks, Run::Begins);
            }
            Some(_) => self.place = Place::Bare,
        }
        (blanks, Run::Between)
    }

    /// Its end belongs to the answer again.
    fn list_ends(&mut self, blanks: usize) -> (usize, Run) {
        self.place = Place::Answer;
        (blanks, Run::Between)
    }

    fn wrong(&mut self, text: &[u8]) -> (usize, Run) {
        self.place = Place::Wrong;
        (text.len(), Run::Wrong)
    }

    fn element(&mut self, text: &[u8]) -> (usize, Run) {
        let mut at = 0;
        while at < text.len() {
            if self.string != Text::Outside {
                at += self.string(&text[at..]);
            } else {
                match text[at] {
                    b'"' => self.string = Text::Inside,
                    b'{' | b'[' => self.inner += 1,
                    b'}' | b']' => self.inner -= 1,
                    _ => {}
                }
                at += 1;
            }
            if self.inner == 0 && self.string == Text::Outside {
                self.place = Place::After;
                return (at, Run::Element { ends: true });
            }
        }
        (at, Run::Element { ends: false })
    }

    /// Up to the list, with its opening.
    fn answer(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        while at < text.len() {
            if self.string != Text::Outside {
                let end = at + self.string(&text[at..]);
                self.named(&text[at..end]);
                at = end;
                continue;
            }
            let byte = text[at];
            at += 1;
            match byte {
                b'"' => {
                    self.string = Text::Inside;
                    self.name = match self.name {
                        Name::Due => Name::Comes(Vec::new()),
                        _ => Name::Nothing,
                    };
                }
                b'{' | b'[' => {
                    let opens = byte == b'[' && matches!(self.name, Name::List);
                    self.named |= self.depth == 0 && byte == b'{';
                    self.name = match self.depth {
                        0 if byte == b'{' => Name::Due,
                        _ => Name::Nothing,
                    };
                    self.depth += 1;
                    if opens {
                        self.place = Place::Before { first: true };
                        return at;
                    }
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' if self.depth == 1 && self.named => self.name = Name::Due,
                b':' => {}
                blank if is_blank(blank) => {}
                _ => self.name = Name::Nothing,
            }
        }
        at
    }

    /// More of a string of the answer, with its end where that has come.
    fn named(&mut self, part: &[u8]) {
        let Name::Comes(name) = &mut self.name else {
            return;
        };
        let ends = self.string == Text::Outside;
        let part = &part[..part.len() - usize::from(ends)];
        // No spelling of it is longer than each letter as an escape; one byte more tells that it is another's.
        let room = (6 * self.list.len() + 1).saturating_sub(name.len());
        name.extend_from_slice(&part[..part.len().min(room)]);
        if ends {
            self.name = match says(name, self.list) {
                true => Name::List,
                false => Name::Nothing,
            };
        }
    }

    /// How much of the text is of the string that the place is in, its end among it.
    fn string(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        if self.string == Text::Escaped {
            (at, self.string) = (1, Text::Inside);
        }
        while let Some(found) = mark(&text[at..]) {
            at += found + 1;
            if text[at - 1] == b'"' {
                self.string = Text::Outside;
                return at;
            }
            if at == text.len() {
                self.string = Text::Escaped;
                return at;
            }
            at += 1;
        }
        text.len()
    }
}

/// Whether a name, without its marks, says this, however it is spelled.
fn says(name: &[u8], expected: &[u8]) -> bool {
    if !name.contains(&b'\\') {
        return name == expected;
    }
    let text = [b"\"", name, b"\""].concat();
    serde_json::from_slice::<String>(&text).is_ok_and(|name| name.as_bytes() == expected)
}

/// The first byte that may end a string, or keeps the next from it.
pub(super) fn mark(text: &[u8]) -> Option<usize> {
    memchr2(b'"', b'\\', text)
}

/// How many bytes may be left out before what is next.
pub(super) fn blanks(text: &[u8]) -> usize {
    let end = text.iter().position(|byte| !is_blank(*byte));
    end.unwrap_or(text.len())
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
