//! What lies in the bounds of a target, in every spelling.

use proptest::prelude::*;

use super::*;

fn bounds(target: &str, named: &[&str], exclude: &[&str]) -> Result<Bounds, Refused> {
    let target = Place::parse(target).unwrap();
    let named: Vec<Place> = named.iter().map(|text| target.join(text).unwrap()).collect();
    let exclude: Vec<String> = exclude.iter().map(|&pattern| pattern.to_owned()).collect();
    Bounds::new(&target, &named, &exclude)
}

/// As the gate asks.
fn outside(bounds: &Bounds, asked: &str) -> Option<Outside> {
    bounds.outside(&Url::parse(&format!("http://shop.example{asked}")).unwrap(), asked)
}

#[test]
fn a_pattern_is_found_in_every_spelling_of_a_url() {
    let bounds =
        bounds("http://shop.example/", &[], &["/logout", "[?&]act=delete", "^http://shop.example/x$"]);
    let bounds = bounds.unwrap();
    for asked in [
        "/logout",
        "/a/logout?b",
        "/%6Cogout",
        "/%6cog%6Fut/",
        "/a/../logout",
        "/a/%2e%2e/logout",
        "/logout/../a",
        "/a?b=1&act=delete",
        "/a?act=delet%65",
        "/x",
    ] {
        assert_eq!(outside(&bounds, asked), Some(Outside::Excluded), "{asked}");
    }
    for asked in ["/", "/log", "/a?b=act=delete", "/x/y", "/a?b='\"<x>&c=%00", "/a\u{fc}"] {
        assert_eq!(outside(&bounds, asked), None, "{asked}");
    }
}

#[test]
fn a_url_too_long_to_be_judged_is_refused_only_where_something_is_excluded() {
    let long = format!("/{}", "a".repeat(JUDGED_BYTES_MAX));
    assert_eq!(outside(&Bounds::default(), &long), None);
    let bounds = bounds("http://shop.example/", &[], &["/logout"]).unwrap();
    assert_eq!(outside(&bounds, &long), Some(Outside::Excluded));
}

#[test]
fn a_target_with_a_path_means_its_folder_and_what_its_plan_names() {
    let bounds = bounds("http://shop.example/app/?a", &["/login?next=x"], &[]).unwrap();
    for asked in ["/app/", "/app/x?y", "/app/../app/z", "/login", "/login?next=elsewhere"] {
        assert_eq!(outside(&bounds, asked), None, "{asked}");
    }
    for asked in ["/", "/app", "/apple", "/app/../admin", "/app/%2e%2e/admin", "/login/x", "/static/a.js"] {
        assert_eq!(outside(&bounds, asked), Some(Outside::Folder("/app/".into())), "{asked}");
    }
    for whole in ["http://shop.example", "http://shop.example/index.html", "http://shop.example/app"] {
        let bounds = super::Bounds::new(&Place::parse(whole).unwrap(), &[], &[]).unwrap();
        assert_eq!(outside(&bounds, "/elsewhere"), None, "{whole}");
    }
}

#[test]
fn a_tunnel_is_had_where_it_hides_nothing_that_is_to_be_refused() {
    let tunnel = |target, exclude: &[&str]| bounds(target, &[], exclude).unwrap().outside_of_tunnel();
    assert_eq!(tunnel("http://shop.example/", &[]), None);
    assert_eq!(tunnel("http://shop.example/", &["/logout"]), Some(Outside::Hidden));
    assert_eq!(tunnel("http://shop.example/app/", &[]), Some(Outside::Hidden));
    // There the tools leave out what is excluded, or are not run.
    assert_eq!(tunnel("https://shop.example/app/", &["/logout"]), None);
}

#[test]
fn patterns_that_cannot_be_held_are_refused_before_anything_is_asked() {
    let refused =
        |exclude: &[&str]| bounds("http://shop.example/app/", &[], exclude).unwrap_err().to_string();
    assert!(refused(&["("]).contains("unclosed group"), "{}", refused(&["("]));
    assert!(refused(&["(a{1,500}){1,500}"]).contains("size limit"));
    assert!(refused(&["/app"]).contains("itself is excluded"));
}

proptest! {
    #[test]
    fn no_encoding_hides_a_path(letters in proptest::collection::vec(any::<bool>(), 7)) {
        let bounds = bounds("http://shop.example/", &[], &["/logout"]).unwrap();
        let asked: String = "/logout".chars().zip(letters).map(|(letter, encoded)| {
            if encoded && letter != '/' { format!("%{:02x}", u32::from(letter)) } else { letter.to_string() }
        }).collect();
        prop_assert_eq!(outside(&bounds, &asked), Some(Outside::Excluded));
    }
}
