//! What `examples/shop/DEFECTS.toml` says: every finding that the tools must make in the shop, and how each defect is
//! taken out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proctor::protocol::api::FindingAnswer;
use serde::Deserialize;

/// Findings as a bag: tool, rule, file, line → how often.
pub type Bag = BTreeMap<(String, String, String, u32), u32>;

#[derive(Debug, Deserialize)]
pub struct Oracle {
    #[serde(rename = "defect")]
    pub defects: Vec<Defect>,
    standing: Vec<Standing>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Defect {
    pub id: String,
    pub file: String,
    pub line: u32,
    pub tools: Vec<Witness>,
    pub remove: Vec<Edit>,
    /// Findings that the repaired line still earns.
    #[serde(default)]
    brings: Vec<Witness>,
}

/// A tool that must see the defect, by which rule.
#[derive(Debug, Clone, Deserialize)]
pub struct Witness {
    pub tool: String,
    pub rule: String,
    line: Option<u32>,
    times: Option<u32>,
}

/// Lines that become the lines of `with`, and empty ones after those: no line moves.
#[derive(Debug, Clone, Deserialize)]
pub struct Edit {
    from_line: usize,
    to_line: usize,
    with: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Standing {
    tool: String,
    rule: String,
    file: String,
    line: u32,
}

impl Oracle {
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop/DEFECTS.toml");
        toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Every finding there must be when `is_removed` defects are gone: no more, no fewer.
    pub fn expected(&self, is_removed: impl Fn(&Defect) -> bool) -> Bag {
        let mut bag = Bag::new();
        for standing in &self.standing {
            let Standing { tool, rule, file, line } = standing.clone();
            *bag.entry((tool, rule, file, line)).or_default() += 1;
        }
        for defect in &self.defects {
            let witnesses = if is_removed(defect) { &defect.brings } else { &defect.tools };
            for witness in witnesses {
                let line = witness.line.unwrap_or(defect.line);
                let key = (witness.tool.clone(), witness.rule.clone(), defect.file.clone(), line);
                *bag.entry(key).or_default() += witness.times.unwrap_or(1);
            }
        }
        bag
    }
}

impl Defect {
    /// Takes the defect out of the shop in `root`.
    pub fn remove_from(&self, root: &Path) {
        let path = root.join(&self.file);
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.split('\n').collect();
        for edit in &self.remove {
            let mut new = edit.with.split('\n');
            for line in &mut lines[edit.from_line - 1..edit.to_line] {
                *line = new.next().unwrap_or_default();
            }
            assert_eq!(new.next(), None, "{}: an edit must not move lines", self.id);
        }
        fs::write(path, lines.join("\n")).unwrap();
    }
}

/// What was found, as a bag.
pub fn found(findings: &[FindingAnswer]) -> Bag {
    let mut bag = Bag::new();
    for finding in findings {
        let key =
            (finding.tool.clone(), finding.rule.clone(), finding.path.clone(), finding.line.unwrap_or(1));
        *bag.entry(key).or_default() += 1;
    }
    bag
}

/// Fails naming what was lost and what was invented.
pub fn assert_same(found: &Bag, expected: &Bag) {
    let lost: Vec<_> = expected.iter().filter(|(key, times)| found.get(*key) != Some(*times)).collect();
    let invented: Vec<_> = found.iter().filter(|(key, times)| expected.get(*key) != Some(*times)).collect();
    assert!(lost.is_empty() && invented.is_empty(), "lost: {lost:#?}\ninvented: {invented:#?}");
}
