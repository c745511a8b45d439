//! ReceiveMessage's answer as it comes: each message is read when it is there, made into what its reader makes of it, and dropped.
//! Ten messages may be more than an event takes, and an answer with all that it escapes several times as much. An answer that
//! came at once, as most do, is read at once: nothing is looked for in it before.

use bytes::Bytes;

use super::Unusable;
use super::answer::{Answer, Usable, alone};
use crate::aws::direct::Taker;
use crate::aws::fault::Failure;
use crate::aws::split::{Apart, Part};
use crate::model::record::Message;

/// An answer under way: what was made of its messages.
pub(super) struct Incoming<T, F> {
    /// So many bytes were announced: 0 where nothing was.
    announced: usize,
    /// All of it came at once, and was read.
    at_once: bool,
    apart: Apart,
    /// A message that began in a part that has come, and did not end there.
    begun: Vec<u8>,
    /// How long such a one was last: the next are often as long.
    bytes: usize,
    reader: F,
    messages: Vec<Result<T, Unusable>>,
    /// Why it can not be read. What comes behind that is passed over: whether all of it comes says more.
    wrong: Option<Failure>,
}

impl<T, F: FnMut(Message<'_>) -> T> Incoming<T, F> {
    pub(super) fn new(reader: F) -> Self {
        Self {
            announced: 0,
            at_once: false,
            apart: Apart::of("Messages"),
            begun: Vec::new(),
            bytes: 0,
            reader,
            messages: Vec::new(),
            wrong: None,
        }
    }

    /// What was made of each message, when all of the answer is there.
    ///
    /// # Errors
    /// It is not what ReceiveMessage answers.
    pub(super) fn read(mut self) -> Result<Vec<Result<T, Unusable>>, Failure> {
        if !self.at_once && self.wrong.is_none() {
            let rest = self.apart.rest();
            // Messages, too, which are in no list of that name.
            self.answer(&rest);
        }
        self.wrong.map_or(Ok(self.messages), Err)
    }

    fn answer(&mut self, text: &[u8]) {
        match Answer::read(text) {
            Ok(answer) => answer.messages().for_each(|message| self.add(message)),
            Err(wrong) => self.wrong = Some(wrong),
        }
    }

    fn message(&mut self, text: &[u8]) {
        match alone(text) {
            Ok(message) => self.add(message),
            Err(wrong) => self.wrong = Some(wrong),
        }
    }

    fn add(&mut self, message: Usable<'_>) {
        self.messages.push(message.map(&mut self.reader));
    }
}

impl<T, F: FnMut(Message<'_>) -> T> Taker for Incoming<T, F> {
    fn begin(&mut self, announced: usize) {
        self.announced = announced;
    }

    fn take(&mut self, part: Bytes) {
        if part.len() == self.announced {
            self.at_once = true;
            return self.answer(&part);
        }
        let mut text = &*part;
        while self.wrong.is_none()
            && let Some(part) = self.apart.next(&mut text)
        {
            match part {
                Part::Begins => {}
                Part::Element { text, ends: true } if self.begun.is_empty() => self.message(text),
                Part::Element { text, ends } => {
                    if self.begun.is_empty() {
                        self.begun.reserve_exact(self.bytes);
                    }
                    self.begun.extend_from_slice(text);
                    if ends {
                        let whole = std::mem::take(&mut self.begun);
                        self.bytes = whole.len();
                        self.message(&whole);
                    }
                }
                Part::Wrong => {
                    let wrong = "ReceiveMessage: the messages do not make a list";
                    self.wrong = Some(Failure::unreadable(wrong));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
