//! What a scan may take: one whose ZAP is ready begins at once, one that finds the breaker open is answered at once, a ZAP that
//! fills the disk is ended, and one that is short of memory is named so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use proctor::actors::docker::Places;
use proctor::actors::egress::Site;
use proctor::domain::breaker::{Dependency, Rules};
use proctor::domain::outcome::FailureReason;
use proctor::domain::scope::Authority;
use proctor::domain::target::{Phase, WebPlan};
use proctor::domain::verdict::WebEnding;
use proctor::domain::zap::phases::Stage;

use crate::docker_world::{self, docker, stranger};
use crate::egress_world::{Web, page as answer_of};
use crate::zap_world::{IMAGE, World, address_of, ask_by_hand, finished, reason, settings, until};

/// From a ZAP that is ready to the first stage of its scan.
const BEGIN_MAX: Duration = Duration::from_secs(5);
/// Scans that want the one seat at once.
const LINE: usize = 16;
/// For an answer that asks nobody.
const AT_ONCE: Duration = Duration::from_secs(1);

/// When this ZAP first answered a call with its key.
async fn ready_at(zap: &str) -> Instant {
    let options = docker(&["inspect", "-f", "{{join .Args \"\\n\"}}", zap]);
    let key = options.lines().find_map(|option| option.strip_prefix("api.key=")).unwrap();
    let address = address_of(zap);
    until("ZAP's first answer", || ask_by_hand(&address, key, "core/view/version/").is_some()).await;
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_begins_as_soon_as_its_zap_is_ready_also_after_one_that_died() {
    let world = World::boot(&[]).await;
    let page = world.page("page").await;
    let mut scan = world.begin(&page, Phase::Baseline);
    scan.comes_to(Stage::Scope).await;
    let first = world.the_zap();
    docker(&["kill", &first]);
    let began = async {
        scan.comes_back_to(Stage::Scope).await;
        Instant::now()
    };
    let ready = async { ready_at(&world.next_zap(&first).await).await };
    let (began, ready) = tokio::join!(began, ready);
    let after = began.saturating_duration_since(ready);
    assert!(after < BEGIN_MAX, "{after:?}");
    finished(&scan.ends().await);
    page.remove().await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_with_a_spare_begins_at_once() {
    let world = World::with_a_spare().await;
    let page = world.page("page").await;
    let before = Instant::now();
    let mut scan = world.begin(&page, Phase::Baseline);
    scan.comes_to(Stage::Scope).await;
    assert!(before.elapsed() < BEGIN_MAX, "{:?}", before.elapsed());
    scan.cancel.cancel();
    assert_eq!(scan.ends().await.ending, WebEnding::Cancelled);
    page.remove().await;
    world.close().await;
}

/// An image that is not there until it is given its name. Dropped, the name is gone.
struct Late(String);

impl Late {
    fn comes(&self) {
        docker(&["tag", IMAGE, &self.0]);
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        docker(&["rmi", "--no-prune", &self.0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_answers_at_once_and_is_closed_by_one_scan_that_works() {
    let late = Late(format!("proctor-test/zap-late:{}", stranger().daemon));
    let mut settings = settings(&[]);
    settings.image = late.0.parse().unwrap();
    let reset = Duration::from_secs(5);
    let world = World::with_breaker(settings, Rules { failures_max: 2, reset, reset_max: reset }).await;
    let page = world.page("page").await;
    for _ in 0..2 {
        assert_eq!(reason(&world.scan(&page, Phase::Baseline).await), FailureReason::ImageMissing);
    }
    until("the breaker", || world.breakers.down(&Dependency::Zap).is_some()).await;
    let before = Instant::now();
    assert_eq!(reason(&world.scan(&page, Phase::Baseline).await), FailureReason::DependencyOpen);
    assert!(before.elapsed() < AT_ONCE, "{:?}", before.elapsed());

    late.comes();
    let is_due = |now| world.breakers.down(&Dependency::Zap).is_some_and(|down| !down.is_certain(now));
    until("the time to try again", || is_due(tokio::time::Instant::now())).await;
    let mut tries = world.begin(&page, Phase::Baseline);
    tries.comes_to(Stage::Scope).await;
    // Nobody else tries: this one waits for a word of the other, and then is told to come back.
    let other = world.begin(&page, Phase::Baseline);
    assert_eq!(world.zaps().len(), 1);
    finished(&tries.ends().await);
    until("the breaker's end", || world.breakers.down(&Dependency::Zap).is_none()).await;
    drop(other.ends().await);
    finished(&world.scan(&page, Phase::Baseline).await);
    page.remove().await;
    world.close().await;
}

/// A page of this process, which no ZAP could reach.
async fn a_page_of_ours() -> (Web, Site) {
    let web = Web::serve(|_| answer_of(200, "", "a page")).await;
    let authority = Authority::new("page.app.internal", web.address.port()).unwrap();
    let site = Site::of_app(authority, web.address, WebPlan::default()).unwrap();
    (web, site)
}

/// Those in line do not burn one start each on what has failed for the first of them.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_line_hears_of_the_breaker_before_another_start() {
    let mut settings = settings(&[]);
    settings.image = "proctor-test/no-such-image:0".parse().unwrap();
    settings.at_once = 1;
    let minute = Duration::from_secs(60);
    let world =
        World::with_breaker(settings, Rules { failures_max: 2, reset: minute, reset_max: minute }).await;
    // It answers sooner than the engine does, so that most are in line before the breaker opens.
    let (_web, site) = a_page_of_ours().await;
    let scans = join_all((0..LINE).map(|_| world.zap.scan(world.order(site.clone())))).await;
    let count = |word: FailureReason| scans.iter().filter(|scan| reason(scan) == word).count();
    let counts = (count(FailureReason::ImageMissing), count(FailureReason::DependencyOpen));
    assert_eq!(counts, (2, LINE - 2));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_without_an_engine_to_begin_with_says_so_at_once() {
    let nowhere = Places::of("unix:///nonexistent/docker.sock", &BTreeMap::new(), 0);
    let base = docker_world::World::at(stranger(), nowhere, None).await;
    assert!(base.docker.engine().await.is_err());
    let minute = Duration::from_secs(60);
    let rules = Rules { failures_max: 2, reset: minute, reset_max: minute };
    let world = World::on(base, settings(&[]), rules).await;
    let (_web, site) = a_page_of_ours().await;
    let before = Instant::now();
    let evidence = world.zap.scan(world.order(site)).await;
    assert_eq!(reason(&evidence), FailureReason::EngineUnavailable);
    assert!(before.elapsed() < BEGIN_MAX, "{:?}", before.elapsed());
    world.close().await;
}

/// Lets something beside ZAP hold memory, and leaves its container a twelfth more than it has then.
async fn tighten(zap: &str) {
    // A line that never ends is kept until somebody reads it, which nobody does.
    let hold = "head -c 300000000 /dev/zero | tail -n 1 | sleep 300";
    docker(&["exec", "--detach", zap, "sh", "-c", hold]);
    let used = || docker(&["stats", "--no-stream", "--format", "{{.MemUsage}}", zap]);
    let mib = |used: String| {
        used.split_once("MiB").and_then(|(mib, _)| mib.parse::<f64>().ok()).unwrap_or_default()
    };
    until("memory that is held", || mib(used()) > 330.0).await;
    let limit = format!("{}m", (mib(used()) * 13.0 / 12.0).ceil());
    docker(&["update", "--memory", &limit, "--memory-swap", &limit, zap]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zap_that_fills_the_disk_is_ended_and_its_want_of_memory_is_named() {
    let mut settings = settings(&["proctor.active=endless"]);
    (settings.stuck, settings.disk_bytes) = (Duration::from_secs(90), 64 << 20);
    let world = World::of(settings).await;
    let page = world.page("page").await;
    let mut scan = world.begin(&page, Phase::Full);
    scan.comes_to(Stage::Active).await;
    let zap = world.the_zap();
    tighten(&zap).await;
    docker(&["exec", &zap, "dd", "if=/dev/zero", "of=/home/zap/full", "bs=1M", "count=80"]);
    let evidence = scan.ends().await;
    assert_eq!(reason(&evidence), FailureReason::DiskLimit);
    let told = format!("{:?}", evidence.ending);
    for word in ["MiB of the disk, and may take 64", "memory_short: ZAP had 9", "zap.disk_mib"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    page.remove().await;
    world.close().await;
}
