//! What lies in the examined tree steers no tool and is executed by none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::whole::{World, found};

const TOOLS: [&str; 7] = ["semgrep", "bandit", "ruff", "detect-secrets", "eslint", "vulture", "gitleaks"];

/// Source with something for every tool to say.
// The token is put together here, so that nobody's push protection takes it for a real one.
const SERVER: &str = concat!(
    "import os\nimport pickle\nimport subprocess\n\n\ndef load(request):\n    subprocess.call(request.args['x'], shell=True)\n    return pickle.loads(request.data)\n\n\nPASSWORD = 'hunter2hunter2'\nTOKEN = '",
    "gh",
    "p_Zk3TqWn8vRb5YcXe1LdMfJgHsAuPoI7K2x9Q'\n"
);
const PAGE: &str = "function show(input) {\n  eval(input);\n  document.body.innerHTML = input;\n}\n";

fn plant(root: &Path) {
    fs::create_dir_all(root).unwrap();
    fs::write(root.join("server.py"), SERVER).unwrap();
    fs::write(root.join("page.js"), PAGE).unwrap();
}

/// Everything observed to silence a tool or to be executed by one; each leaves a mark if it is.
fn poison(root: &Path, mark: &Path) {
    let mark = mark.display();
    let write = |path: &str, text: String| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(".gitleaks.toml", "[allowlist]\npaths = ['.*']\n".into());
    write(".gitleaksignore", "server.py:github-pat:11\n".into());
    write(".bandit", "[bandit]\nexclude: /\nskips: B301,B602,B403,B404,B105\n".into());
    write(".semgrepignore", "*\n".into());
    write(".gitignore", "*\n".into());
    write(".secrets.baseline", "{}".into());
    write("ruff.toml", "exclude = [\"*\"]\n".into());
    write("pyproject.toml", "[tool.ruff]\nexclude = [\"*\"]\n[tool.vulture]\nignore_names = [\"*\"]\n[tool.bandit]\nexclude_dirs = [\"/\"]\n".into());
    write("setup.cfg", "[bandit]\nskips = B301\n".into());
    write(
        "eslint.config.js",
        format!("require('fs').writeFileSync('{mark}', 'eslint'); module.exports = [];\n"),
    );
    write(
        "eslint.config.mjs",
        format!("import fs from 'fs'; fs.writeFileSync('{mark}', 'eslint'); export default [];\n"),
    );
    write(
        ".eslintrc.js",
        format!("require('fs').writeFileSync('{mark}', 'eslintrc'); module.exports = {{}};\n"),
    );
    write(".eslintignore", "*\n".into());
    write(".checkov.yaml", "skip-check: ['*']\n".into());
    write(".git/config", format!("[core]\n\tfsmonitor = \"touch {mark}; false\"\n"));
    write(".git/HEAD", "ref: refs/heads/main\n".into());
    write("ast.py", format!("open('{mark}', 'w').write('ast')\n"));
    write("sitecustomize.py", format!("open('{mark}', 'w').write('sitecustomize')\n"));
    write("package.json", "{\"eslintConfig\": {\"root\": true}, \"eslintIgnore\": [\"*\"]}".into());
    write("x.py/inner.txt", "a directory that is called like a file\n".into());
    write("long.txt", "x".repeat(5 << 20));
    symlink("/etc/passwd", root.join("passwd.py")).unwrap();
    symlink(".", root.join("loop")).unwrap();
    symlink("nowhere", root.join("dangling.js")).unwrap();
    std::os::unix::net::UnixListener::bind(root.join("socket.py")).unwrap();
    nix::unistd::mkfifo(&root.join("fifo.py"), nix::sys::stat::Mode::S_IRWXU).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_configuration_changes_no_finding_and_executes_nothing() {
    let world = World::boot().await;
    let plain = world.targets().join("plain");
    plant(&plain);
    let hostile = world.targets().join("hostile");
    plant(&hostile);
    let mark = world.folder.path().join("executed");
    poison(&hostile, &mark);
    let of_plain = world.scan(&plain, &TOOLS).await;
    let of_hostile = world.scan(&hostile, &TOOLS).await;
    assert!(of_plain.runs.iter().all(|run| run.state == "findings"), "{:#?}", of_plain.runs);
    let in_source = |findings: Vec<_>| {
        let mut bag = found(&findings);
        bag.retain(|(_, _, path, _), _| path == "server.py" || path == "page.js");
        bag
    };
    let expected = in_source(world.findings(&of_plain.job).await);
    assert_eq!(in_source(world.findings(&of_hostile.job).await), expected);
    for run in &of_hostile.runs {
        assert_eq!(run.state, "findings", "{run:#?}");
    }
    assert!(!mark.exists(), "executed by {:?}", fs::read_to_string(&mark));
    assert_eq!(
        fs::read_to_string(hostile.join("server.py")).unwrap(),
        SERVER,
        "the tree itself is untouched"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_is_deleted_under_the_scan_changes_nothing() {
    let world = World::boot().await;
    let target = world.targets().join("short-lived");
    plant(&target);
    let mut client = world.client().await;
    let job = world.submit(&mut client, &target, &["semgrep", "bandit"]).await;
    world.until_running(&mut client, &job, "semgrep").await;
    fs::remove_dir_all(&target).unwrap();
    let ended = world.end_of(&mut client, &job).await;
    assert_eq!(ended.conclusion, "findings", "{ended:#?}");
    world.end().await;
}
