use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::*;
use crate::actors::gateway::token::Tokens;

fn list() -> (tempfile::TempDir, TokenList) {
    let folder = tempfile::tempdir().unwrap();
    let list = TokenList::of(folder.path());
    (folder, list)
}

fn names(list: &TokenList) -> Vec<String> {
    list.read().unwrap().into_iter().map(|(_, principal)| principal.0).collect()
}

#[test]
fn a_token_is_kept_as_its_digest_and_only_for_the_owner_of_the_file() {
    let (_folder, list) = list();
    assert!(names(&list).is_empty());
    let token = list.add("ci").unwrap();
    list.add("anna.b-2_c").unwrap();
    assert_eq!(names(&list), ["ci", "anna.b-2_c"]);
    let text = fs::read_to_string(&list.path).unwrap();
    assert!(!text.contains(token.reveal()));
    assert_eq!(fs::metadata(&list.path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn names_that_could_be_mistaken_are_refused() {
    let (_folder, list) = list();
    for name in ["", OWNER, "Anna", "a b", "a\nb", "ä", &"x".repeat(NAME_BYTES_MAX + 1)] {
        assert!(matches!(list.add(name), Err(TokenListError::BadName(_))), "{name:?}");
    }
    list.add("ci").unwrap();
    assert!(matches!(list.add("ci"), Err(TokenListError::Taken(_))));
    assert!(matches!(list.revoke("cj"), Err(TokenListError::Unknown(_))));
}

#[test]
fn the_door_follows_the_list_while_it_is_open() {
    let (folder, list) = list();
    let mine = Token::random().unwrap();
    let tokens = Tokens::of_owner(&mine).and_list(TokenList::of(folder.path()));
    let ci = list.add("ci").unwrap();
    assert_eq!(tokens.principal_of(ci.reveal()), Some(Principal("ci".to_owned())));
    list.revoke("ci").unwrap();
    assert_eq!(tokens.principal_of(ci.reveal()), None);
    let again = list.add("ci").unwrap();
    assert_eq!(tokens.principal_of(ci.reveal()), None, "the old token stays out");
    assert!(tokens.principal_of(again.reveal()).is_some());
    assert!(tokens.principal_of(mine.reveal()).is_some());
}

#[test]
fn a_list_that_cannot_be_trusted_lets_nobody_in_but_the_owner() {
    let (folder, list) = list();
    let mine = Token::random().unwrap();
    let tokens = Tokens::of_owner(&mine).and_list(TokenList::of(folder.path()));
    let ci = list.add("ci").unwrap();
    assert!(tokens.principal_of(ci.reveal()).is_some());
    let text = fs::read_to_string(&list.path).unwrap();
    fs::write(&list.path, format!("{text}half a line")).unwrap();
    assert!(matches!(list.read(), Err(TokenListError::Damaged { line: 2, .. })));
    assert_eq!(tokens.principal_of(ci.reveal()), None);
    fs::write(&list.path, text).unwrap();
    assert!(tokens.principal_of(ci.reveal()).is_some());
    fs::set_permissions(&list.path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(list.read(), Err(TokenListError::Exposed { mode: 0o644, .. })));
    assert_eq!(tokens.principal_of(ci.reveal()), None);
    assert!(tokens.principal_of(mine.reveal()).is_some());
}

#[test]
fn of_changes_made_at_once_none_is_lost() {
    let (_folder, list) = list();
    thread::scope(|scope| {
        for number in 0..8 {
            let list = &list;
            scope.spawn(move || list.add(&format!("holder-{number}")).unwrap());
        }
    });
    assert_eq!(names(&list).len(), 8);
}
