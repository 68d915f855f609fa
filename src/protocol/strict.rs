//! One walk over a JSON text before anything is read from it: well-formed, not too deep, no key twice in an object.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::errors::WireError;

/// Marks our own complaints among serde's, which are about syntax.
const MARK: &str = "proctor: ";

/// Checks `text`, which may nest `depth_max` objects and arrays; says why not.
pub fn check(text: &str, depth_max: usize) -> Result<(), WireError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let walked = Walk { left: depth_max }.deserialize(&mut reader).and_then(|()| reader.end());
    walked.map_err(|error| {
        let said = error.to_string();
        match said.strip_prefix(MARK) {
            Some(own) => WireError::InvalidRequest(own.to_owned().into()),
            None => WireError::Parse(said),
        }
    })
}

/// A value that may hold `left` more levels.
#[derive(Clone, Copy)]
struct Walk {
    left: usize,
}

impl Walk {
    fn inside<E: Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left }),
            None => Err(E::custom(format!("{MARK}nested too deep"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut keys = Keys::default();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if !keys.insert(&key) {
                return Err(A::Error::custom(format!("{MARK}key {key:.64?} occurs twice in one object")));
            }
            map.next_value_seed(inside)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while sequence.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Keys of one object. Small objects, which nearly all are, are compared one by one: no hashing, one allocation.
#[derive(Default)]
struct Keys {
    few: Vec<String>,
    many: HashSet<String>,
}

impl Keys {
    const FEW: usize = 8;

    fn insert(&mut self, key: &str) -> bool {
        if self.few.iter().any(|seen| seen == key) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push(key.to_owned());
            return true;
        }
        self.many.insert(key.to_owned())
    }
}
