//! Resources of one kind by id: a map that copies only when it is changed while somebody still holds an older copy.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A copy-on-write `BTreeMap` from ids to resources; use it as the map that it dereferences to.
#[derive(Debug)]
pub struct Shelf<T>(Arc<BTreeMap<String, T>>);

impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Deref for Shelf<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shelf<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}
