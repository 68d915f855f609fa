use std::path::Path;

use super::*;
use crate::actors::server::{Spawned, spawn};
use crate::actors::space::ballast::make_room;

const MIB: u64 = 1 << 20;

async fn start(directory: &Path, limits: Limits) -> (Spawned<SpaceMessage>, SpaceArguments) {
    let arguments = SpaceArguments {
        directory: directory.to_owned(),
        limits,
        room: Room::default(),
        health: Health::default(),
    };
    (spawn::<Space>(arguments.clone()).await.unwrap(), arguments)
}

fn held(directory: &Path) -> u64 {
    Ballast::of(directory).look().unwrap().held
}

#[tokio::test]
async fn a_disk_with_room_gets_its_reserve_and_a_second_life_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { free_min: MIB, ballast: 3 * MIB };
    for _ in 0..2 {
        let (actor, arguments) = start(directory.path(), limits).await;
        assert!(held(directory.path()) >= 3 * MIB);
        arguments.room.check().unwrap();
        actor.address.stop();
        actor.ended().await;
    }
    make_room(directory.path(), limits).unwrap();
    assert!(held(directory.path()) >= 3 * MIB, "it is given up in need only");
}

#[tokio::test]
async fn without_room_new_jobs_are_refused_by_the_directorys_name_and_nothing_is_reserved() {
    let directory = tempfile::tempdir().unwrap();
    // No disk has that much.
    let limits = Limits { free_min: 1 << 60, ballast: MIB };
    let (_actor, arguments) = start(directory.path(), limits).await;
    let refused = arguments.room.check().unwrap_err().to_string();
    assert!(refused.contains(directory.path().to_str().unwrap()), "{refused}");
    assert!(refused.contains("storage.free_bytes_min"), "{refused}");
    assert_eq!(held(directory.path()), 0);
    Ballast::of(directory.path()).take(MIB).unwrap();
    make_room(directory.path(), limits).unwrap();
    assert_eq!(held(directory.path()), 0, "a start on a full disk gives it up");
}
