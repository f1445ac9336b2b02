//! Values by path, where the one that counts is that of the nearest folder: which mount a place is in, which rule covers
//! it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

/// A value for each of some paths. What a lookup costs grows with the depth of a path, and hardly with how many there
/// are.
///
/// Paths are compared by the names in them, whatever is on the disk; absolute ones with absolute ones.
#[derive(Clone, Debug)]
pub struct PathMap<'p, V>(BTreeMap<&'p Path, V>);

impl<'p, V> PathMap<'p, V> {
    /// Sets the value of a path; one that it had is replaced.
    pub fn insert(&mut self, path: &'p Path, value: V) {
        self.0.insert(path, value);
    }

    /// The value of `path` itself.
    pub fn get(&self, path: &Path) -> Option<&V> {
        self.0.get(path)
    }

    /// All of them, a folder before what lies in it.
    pub fn iter(&self) -> impl Iterator<Item = (&'p Path, &V)> {
        self.0.iter().map(|(path, value)| (*path, value))
    }

    /// Whether `path` or a folder above it is here.
    pub fn covers(&self, path: &Path) -> bool {
        self.around(path).next().is_some()
    }

    /// Those of `path` and the folders above it that are here, the nearest first.
    pub fn around(&self, path: &Path) -> impl Iterator<Item = (&'p Path, &V)> {
        path.ancestors().filter_map(|at| self.0.get_key_value(at)).map(|(path, value)| (*path, value))
    }

    /// Those of the folders above `path` that are here, the nearest first.
    pub fn above(&self, path: &Path) -> impl Iterator<Item = (&'p Path, &V)> {
        path.parent().into_iter().flat_map(|folder| self.around(folder))
    }

    /// What is here and lies below `path`, a folder before what lies in it.
    pub fn below(&self, path: &Path) -> impl Iterator<Item = (&'p Path, &V)> {
        // In the order of paths, what lies below one follows it.
        let rest = self.0.range::<Path, _>((Bound::Excluded(path), Bound::Unbounded));
        rest.map(|(inner, value)| (*inner, value)).take_while(move |(inner, _)| inner.starts_with(path))
    }
}

impl<V> Default for PathMap<'_, V> {
    fn default() -> Self {
        PathMap(BTreeMap::new())
    }
}

impl<'p, V> FromIterator<(&'p Path, V)> for PathMap<'p, V> {
    /// Of several values of one path the last one counts.
    fn from_iter<I: IntoIterator<Item = (&'p Path, V)>>(entries: I) -> Self {
        PathMap(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths<'p>(found: impl Iterator<Item = (&'p Path, &'p usize)>) -> Vec<(&'p str, usize)> {
        found.map(|(path, value)| (path.to_str().unwrap(), *value)).collect()
    }

    #[test]
    fn the_nearest_comes_first_and_names_are_whole() {
        let names = ["/a", "/a/b/c", "/a.b", "/a b", "/ab", "/a/b/c/d/e", "/a/b/cd"];
        let map: PathMap<'_, usize> = names.iter().map(Path::new).zip(0..).collect();
        let around = |path: &str| paths(map.around(Path::new(path)));
        assert_eq!(around("/a/b/c/d"), [("/a/b/c", 1), ("/a", 0)]);
        assert_eq!(around("/a/b/c"), [("/a/b/c", 1), ("/a", 0)]);
        assert_eq!(paths(map.above(Path::new("/a/b/c"))), [("/a", 0)]);
        assert_eq!(around("/abc"), []);
        assert_eq!(around("/"), []);
        assert!(map.covers(Path::new("/ab/x")) && !map.covers(Path::new("/b/a")));
        let below = |path: &str| paths(map.below(Path::new(path)));
        assert_eq!(below("/a"), [("/a/b/c", 1), ("/a/b/c/d/e", 5), ("/a/b/cd", 6)]);
        assert_eq!(below("/a/b"), [("/a/b/c", 1), ("/a/b/c/d/e", 5), ("/a/b/cd", 6)]);
        assert_eq!(below("/a/b/c/d/e"), []);
        assert_eq!(below("/").len(), names.len());
    }

    #[test]
    fn the_last_value_of_a_path_counts() {
        let mut map: PathMap<'_, usize> =
            [("/a", 1), ("/a", 2)].map(|(p, v)| (Path::new(p), v)).into_iter().collect();
        assert_eq!(paths(map.iter()), [("/a", 2)]);
        map.insert(Path::new("/a"), 3);
        assert_eq!(paths(map.iter()), [("/a", 3)]);
    }
}
