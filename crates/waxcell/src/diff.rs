//! What differs between two texts, as a unified diff: what `patch -p0` and `git apply -p0` take.

/// Lines shown around a change.
const CONTEXT: usize = 3;
/// Above so many pairs of lines, what lies between the first and the last change is told as one.
const MOST_PAIRS: usize = 1 << 22;

/// The diff from `old` to `new`; empty if they are the same. `None` for a name: there is no such file.
pub(crate) fn unified(old: (Option<&str>, &str), new: (&str, &str)) -> String {
    let lines = |text| -> Vec<&str> { str::split_inclusive(text, '\n').collect() };
    let (before, after) = (lines(old.1), lines(new.1));
    let steps = steps(&before, &after);
    let mut out = String::new();
    let mut from = 0;
    while let Some(first) = steps[from..].iter().position(|step| !step.is_same()).map(|at| from + at) {
        // A hunk ends where more lines are the same than two contexts have.
        let mut end = first + 1;
        let mut at = end;
        while at < steps.len() && at - end < 2 * CONTEXT {
            if !steps[at].is_same() {
                end = at + 1;
            }
            at += 1;
        }
        let hunk = &steps[first.saturating_sub(CONTEXT).max(from)..(end + CONTEXT).min(steps.len())];
        push_hunk(&mut out, hunk, &before, &after);
        from = end;
    }
    if out.is_empty() {
        return out;
    }
    format!("--- {}\n+++ {}\n{out}", old.0.unwrap_or("/dev/null"), new.0)
}

/// A line of one text or of both, by its place there.
#[derive(Clone, Copy)]
enum Step {
    Same(usize, usize),
    Gone(usize, usize),
    New(usize, usize),
}

impl Step {
    fn is_same(self) -> bool {
        matches!(self, Step::Same(..))
    }

    /// The places in both texts that it stands before.
    fn places(self) -> (usize, usize) {
        match self {
            Step::Same(old, new) | Step::Gone(old, new) | Step::New(old, new) => (old, new),
        }
    }
}

fn steps(before: &[&str], after: &[&str]) -> Vec<Step> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let rest = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (old_end, new_end) = (before.len() - tail, after.len() - tail);
    let (old, new) = (&before[head..old_end], &after[head..new_end]);
    let mut steps: Vec<Step> = (0..head).map(|at| Step::Same(at, at)).collect();
    let longest = longest_common(old, new);
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let here = |i: usize, j: usize| longest.get(i * (new.len() + 1) + j).copied().unwrap_or(0);
        let (at_old, at_new) = (head + i, head + j);
        if i < old.len() && j < new.len() && !longest.is_empty() && old[i] == new[j] {
            steps.push(Step::Same(at_old, at_new));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || here(i + 1, j) >= here(i, j + 1)) {
            steps.push(Step::Gone(at_old, at_new));
            i += 1;
        } else {
            steps.push(Step::New(at_old, at_new));
            j += 1;
        }
    }
    steps.extend((0..tail).map(|at| Step::Same(old_end + at, new_end + at)));
    steps
}

/// For each pair of places, how many lines the rests have in common; empty if that is too much to ask.
fn longest_common(old: &[&str], new: &[&str]) -> Vec<u32> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > MOST_PAIRS {
        return Vec::new();
    }
    let mut longest = vec![0u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    longest
}

fn push_hunk(out: &mut String, hunk: &[Step], before: &[&str], after: &[&str]) {
    let Some((old, new)) = hunk.first().map(|step| step.places()) else { return };
    let old_lines = hunk.iter().filter(|step| !matches!(step, Step::New(..))).count();
    let new_lines = hunk.iter().filter(|step| !matches!(step, Step::Gone(..))).count();
    // Counted from 1; a text without lines is before its first.
    let start = |at: usize, lines: usize| if lines == 0 { at } else { at + 1 };
    out.push_str(&format!(
        "@@ -{},{old_lines} +{},{new_lines} @@\n",
        start(old, old_lines),
        start(new, new_lines)
    ));
    for step in hunk {
        let (mark, line) = match *step {
            Step::Same(old, _) => (' ', before[old]),
            Step::Gone(old, _) => ('-', before[old]),
            Step::New(_, new) => ('+', after[new]),
        };
        out.push(mark);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unified;

    fn diff(old: &str, new: &str) -> String {
        unified((Some("p"), old), ("p", new))
    }

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(diff(old, old), "");
        let head = "--- p\n+++ p\n";
        assert_eq!(
            diff(old, &old.replace('5', "x")),
            format!("{head}@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n")
        );
        assert_eq!(diff(old, &old.replace("1\n", "")), format!("{head}@@ -1,4 +1,3 @@\n-1\n 2\n 3\n 4\n"));
        assert_eq!(
            diff("a", "a\nb\n"),
            format!("{head}@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n")
        );
        assert_eq!(unified((None, ""), ("p", "a\nb\n")), "--- /dev/null\n+++ p\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    }

    #[test]
    fn changes_far_from_each_other_are_hunks_of_their_own() {
        let old: String = (0..30).map(|n| format!("{n}\n")).collect();
        let near = diff(&old, &old.replace("\n8\n", "\nx\n").replace("\n14\n", "\ny\n"));
        assert_eq!(near.matches("@@ -").count(), 1, "{near}");
        let far = diff(&old, &old.replace("\n8\n", "\nx\n").replace("\n20\n", "\ny\n"));
        assert_eq!(far.matches("@@ -").count(), 2, "{far}");
        assert!(far.contains("@@ -6,7 +6,7 @@") && far.contains("@@ -18,7 +18,7 @@"), "{far}");
    }
}
