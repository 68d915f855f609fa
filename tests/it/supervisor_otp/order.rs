//! Start order, reverse stop order, and both for many.

use std::time::Duration;

use proctor::actors::supervise::{Ended, Strategy};

use super::probe::{DYNAMIC, World, children, counts, cpu_time, supervisor, until};

#[tokio::test(start_paused = true)]
async fn order_of_children() {
    for strategy in [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll] {
        let world = World::default();
        let names = ["id0", "id1", "id2", "id3", "id4"];
        let supervisor = supervisor(strategy, names.iter().map(|name| world.child(name)).collect()).await;
        let started: Vec<String> =
            names.iter().flat_map(|name| [format!("start {name}"), format!("up {name}")]).collect();
        assert_eq!(world.told(), started);
        let known: Vec<String> = names.iter().map(|name| format!("{name}: running")).collect();
        assert_eq!(children(&supervisor), known);
        if strategy != Strategy::OneForOne {
            world.crash_and_recover("id0").await;
            until(|| world.count("up id4") == 1).await;
            let stopped = names
                .iter()
                .rev()
                .take(4)
                .flat_map(|name| [format!("terminate {name}"), format!("down {name}")]);
            let all: Vec<String> =
                std::iter::once("down id0".to_owned()).chain(stopped).chain(started).collect();
            assert_eq!(world.told(), all);
        }
        assert_eq!(supervisor.shutdown(Duration::from_secs(60)).await, Ended::Stopped);
        let stopped: Vec<String> = names
            .iter()
            .rev()
            .flat_map(|name| [format!("terminate {name}"), format!("down {name}")])
            .collect();
        assert_eq!(world.told(), stopped);
    }
}

#[tokio::test(start_paused = true)]
async fn scale_start_stop_many_children() {
    for (strategy, many) in [(Strategy::OneForOne, 400), (DYNAMIC, 10_000)] {
        let world = World::default();
        let supervisor = supervisor(strategy, vec![]).await;
        let before = cpu_time();
        for n in 0..many {
            supervisor.start_child(world.child(&format!("child{n}"))).await.unwrap();
        }
        assert_eq!(counts(&supervisor), [many, many, 0, many]);
        assert_eq!(supervisor.shutdown(Duration::from_secs(60)).await, Ended::Stopped);
        let told = world.told();
        assert_eq!(told.iter().filter(|line| line.starts_with("terminate")).count(), many);
        let took = cpu_time() - before;
        assert!(took < Duration::from_secs(20), "{strategy:?}: {took:?}");
    }
}
