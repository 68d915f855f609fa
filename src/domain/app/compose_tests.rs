use super::super::{Condition, ImageSource, MountPlan};
use super::*;
use crate::domain::container::{Demand, HealthCheck};

fn plan(text: &str) -> Result<AppPlan, PlanError> {
    read(text, &BTreeMap::from([("TAG".to_owned(), "1.2".to_owned())]), None)
}

fn service(yaml: &str) -> Result<ServicePlan, String> {
    let indented: String = yaml.lines().map(|line| format!("    {line}\n")).collect();
    match plan(&format!("services:\n  web:\n{indented}")) {
        Ok(plan) => Ok(plan.services[0].clone()),
        Err(PlanError::Service { why, .. } | PlanError::Syntax(why)) => Err(why),
        Err(other) => panic!("{other}"),
    }
}

const SHOP: &str = r#"
version: "3.9"
x-common: &common
  restart: unless-stopped
services:
  web:
    <<: *common
    build: {context: ./web, dockerfile: Dockerfile.prod, target: run, args: {MODE: prod, LEVEL: 3}}
    command: python app.py --title "two words"
    environment:
      DATABASE_URL: postgres://db:5432/shop
      DEBUG: false
      EMPTY:
    ports: ["127.0.0.1:8080:5000"]
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
    volumes: ["./web/static:/app/static:ro", "uploads:/app/uploads", "/cache"]
    tmpfs: /tmp
    networks: {back: {aliases: [shop]}, front: }
  migrate:
    image: shop-migrate
    depends_on: [db]
  db:
    image: postgres:${TAG}
    environment: [POSTGRES_PASSWORD=a=b, FROM_HOST]
    expose: [5432]
    healthcheck: {test: pg_isready, interval: 1m30s, timeout: 500ms, retries: 5}
    cap_add: [cap_chown]
  debug:
    image: debug
    profiles: [debug]
volumes: {uploads: }
networks: {back: , front: }
"#;

#[test]
fn a_common_file_becomes_a_plan() {
    let plan = read(SHOP, &BTreeMap::from([("TAG".to_owned(), "16".to_owned())]), Some("web")).unwrap();
    let names: Vec<&str> = plan.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!((names, plan.entry.as_str()), (vec!["db", "migrate", "web"], "web"));
    let web = plan.entry().unwrap();
    let ImageSource::Build { directory, dockerfile, stage, arguments } = &web.source else {
        panic!("{web:?}")
    };
    assert_eq!(
        (directory.as_str(), dockerfile.as_str(), stage.as_deref()),
        ("./web", "Dockerfile.prod", Some("run"))
    );
    assert_eq!(arguments["LEVEL"], "3");
    assert_eq!(web.command.as_ref().unwrap()[3], "two words");
    assert_eq!(
        web.env,
        BTreeMap::from([
            ("DATABASE_URL".to_owned(), "postgres://db:5432/shop".to_owned()),
            ("DEBUG".to_owned(), "false".to_owned()),
        ])
    );
    assert_eq!((web.ports.as_slice(), web.aliases.as_slice()), (&[5000][..], &["shop".to_owned()][..]));
    assert_eq!(
        web.after.iter().map(|after| after.until).collect::<Vec<_>>(),
        [Condition::Healthy, Condition::Completed]
    );
    let bind =
        MountPlan::Bind { source: "./web/static".into(), target: "/app/static".into(), writable: false };
    let volume = |target: &str| MountPlan::Volume { target: target.into() };
    assert_eq!(
        web.mounts,
        [bind, volume("/app/uploads"), volume("/cache"), MountPlan::Tmpfs { target: "/tmp".into() }]
    );
    let db = &plan.services[0];
    assert_eq!(db.source, ImageSource::Image("postgres:16".parse().unwrap()));
    assert_eq!(db.env, BTreeMap::from([("POSTGRES_PASSWORD".to_owned(), "a=b".to_owned())]));
    assert_eq!(db.demands, [Demand::Capability("CHOWN".into())]);
    let Some(HealthCheck::Ask { test, interval, timeout, retries: 5, .. }) = &db.health else {
        panic!("{db:?}")
    };
    assert_eq!((test[0].as_str(), interval.as_secs(), timeout.as_millis()), ("CMD-SHELL", 90, 500));
}

#[test]
fn what_would_loosen_a_wall_becomes_a_demand() {
    let greedy = service(
        "image: x\nprivileged: true\nnetwork_mode: host\npid: \"container:other\"\nipc: shareable\ndevices: [/dev/kvm]\n\
         cap_add: [SYS_ADMIN]\nsecurity_opt: [seccomp=unconfined]\nextra_hosts: [\"a:host-gateway\"]\nvolumes_from: [y]\n\
         volumes: [/var/run/docker.sock:/var/run/docker.sock]",
    )
    .unwrap();
    let expected = [
        Demand::Privileged,
        Demand::Namespace { kind: "network", of: "host".into() },
        Demand::Namespace { kind: "pid", of: "container:other".into() },
        Demand::Device("/dev/kvm".into()),
        Demand::SecurityOption("seccomp=unconfined".into()),
        Demand::Capability("SYS_ADMIN".into()),
        Demand::Key("extra_hosts".into()),
        Demand::Key("volumes_from".into()),
    ];
    assert_eq!(greedy.demands, expected);
    assert!(matches!(&greedy.mounts[..], [MountPlan::Bind { writable: true, .. }]));
    let plain = service(
        "image: x\nprivileged: false\nnetwork_mode: bridge\nrestart: always\nmem_limit: 1g\nx-mine: 1",
    );
    assert_eq!(plain.unwrap().demands, []);
}

#[test]
fn what_is_not_understood_is_named() {
    for (yaml, word) in [
        ("image: x\nsecrets: [a]", "secrets"),
        ("image: x\nimagee: y", "imagee"),
        ("command: x", "neither"),
        ("image: UPPER", "UPPER"),
        ("image: x\nports: [abc]", "abc"),
        ("image: x\nports: ['9-8']", "9-8"),
        ("image: x\ndepends_on: {web: {condition: odd}}", "odd"),
        ("image: x\nhealthcheck: {test: y, interval: soon}", "soon"),
        ("image: x\nvolumes: [{type: npipe, source: a, target: /b}]", "npipe"),
        ("image: x\ncommand: \"a 'b\"", "quote"),
        ("image: ${NONE:?tell me}", "tell me"),
    ] {
        let why = service(yaml).unwrap_err();
        assert!(why.contains(word), "{yaml}: {why}");
    }
    assert!(matches!(plan("services: {web: {image: x}}\nsecrets: {}"), Err(PlanError::Syntax(_))));
    assert!(matches!(plan("services:\n  web: [unclosed"), Err(PlanError::Syntax(_))));
    assert!(matches!(plan("[]"), Err(PlanError::Syntax(_))));
    assert!(matches!(plan("version: '3'"), Err(PlanError::NoServices)));
}

#[test]
fn ports_are_those_inside() {
    let ports = |yaml: &str| service(&format!("image: x\n{yaml}")).unwrap().ports;
    assert_eq!(
        ports(
            "ports: [8080, '80:3000', '127.0.0.1:81:3001/tcp', '53:53/udp', {target: 9000, published: 90}]"
        ),
        [3000, 3001, 8080, 9000]
    );
    assert_eq!(ports("ports: ['4000-4002']\nexpose: ['4001', 5000]"), [4000, 4001, 4002, 5000]);
}

#[test]
fn a_file_that_is_made_to_explode_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(matches!(plan(&text), Err(PlanError::Syntax(_))));
    let many: String = (0..20).map(|number| format!("  s{number}: {{image: x}}\n")).collect();
    assert_eq!(plan(&format!("services:\n{many}")), Err(PlanError::TooMany { limit: SERVICES_MAX }));
}
