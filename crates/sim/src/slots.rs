//! Places that are used again: an id of one that is gone leads to nothing.

use crate::carrier::ConnId;

/// Connections by their id.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    turn: u32,
    value: Option<Box<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    /// Puts one in the place that was freed last.
    pub(crate) fn insert(&mut self, value: T) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { turn: 0, value: None });
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.places[slot as usize];
        place.turn += 1;
        place.value = Some(Box::new(value));
        ConnId { slot, turn: place.turn }
    }

    /// The one with this id, if it is there still.
    pub(crate) fn get(&self, id: ConnId) -> Option<&T> {
        self.places.get(id.slot as usize).filter(|place| place.turn == id.turn)?.value.as_deref()
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        self.places.get_mut(id.slot as usize).filter(|place| place.turn == id.turn)?.value.as_deref_mut()
    }

    /// Frees the place of one that is there.
    pub(crate) fn remove(&mut self, id: ConnId) {
        self.places[id.slot as usize].value = None;
        self.free.push(id.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_what_is_gone_leads_to_nothing() {
        let mut slots = Slots::default();
        let first = slots.insert('a');
        slots.remove(first);
        let second = slots.insert('b');
        assert_eq!((first.slot, slots.get(first), slots.get(second)), (second.slot, None, Some(&'b')));
        *slots.get_mut(second).unwrap() = 'c';
        assert_eq!(slots.get(second), Some(&'c'));
        assert_eq!(slots.get_mut(first), None);
    }
}
