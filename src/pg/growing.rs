//! What grows with what a user has written asks for memory in a way that may fail: where there is none left
//! the statement ends (53200), and not the server.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use super::frame;

pub fn push<T>(list: &mut Vec<T>, item: T) {
    if list.try_reserve(1).is_err() {
        frame::out_of_memory();
    }
    list.push(item);
}

pub fn insert<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>, key: K, value: V) {
    if map.try_reserve(1).is_err() {
        frame::out_of_memory();
    }
    map.insert(key, value);
}
