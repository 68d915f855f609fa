use proptest::prelude::*;

use super::*;

fn list(rules: &[&str]) -> AllowList {
    AllowList::parse(rules).unwrap_or_else(|bad| panic!("{bad:?}"))
}

fn looking(rules: &[&str]) -> Lists {
    Lists { hosts: list(rules), active: AllowList::default() }
}

/// What comes of `url` when its name means `addresses`; an address means itself.
fn judged(rules: &[&str], url: &str, addresses: &[&str]) -> Result<Vec<SocketAddr>, Refused> {
    let (lists, place) = (looking(rules), Place::parse(url)?);
    let own = place.authority.address();
    let addresses: Vec<IpAddr> = match own {
        Some(address) => vec![address],
        None => addresses.iter().map(|address| address.parse().unwrap()).collect(),
    };
    lists.consider(&place.authority, Permission::Look)?;
    lists.judge(&place.authority, &addresses, Permission::Look)
}

#[track_caller]
fn allowed(rules: &[&str], url: &str, addresses: &[&str]) {
    if let Err(refused) = judged(rules, url, addresses) {
        panic!("{rules:?} {url} at {addresses:?}: {refused}");
    }
}

#[track_caller]
fn refused(rules: &[&str], url: &str, addresses: &[&str]) -> String {
    match judged(rules, url, addresses) {
        Ok(pinned) => panic!("{rules:?} {url} at {addresses:?} goes to {pinned:?}"),
        Err(refused) => refused.to_string(),
    }
}

const PUBLIC: &str = "93.184.215.14";

#[test]
fn a_listed_name_leads_to_the_internet_and_nowhere_else() {
    allowed(&["shop.example"], "https://SHOP.example./a", &[PUBLIC, "2606:2800:21f::1"]);
    for private in
        ["10.0.0.1", "127.0.0.1", "::1", "100.64.0.1", "fd00::1", "192.0.2.1", "0.0.0.0", "224.0.0.1"]
    {
        refused(&["shop.example"], "http://shop.example/", &[private]);
        // One good address among bad ones is how rebinding begins.
        refused(&["shop.example"], "http://shop.example/", &[PUBLIC, private]);
    }
    allowed(&["shop.example", "10.0.0.0/8"], "http://shop.example/", &["10.0.0.1", PUBLIC]);
    refused(&["shop.example"], "http://shop.example.evil/", &[PUBLIC]);
    refused(&["shop.example"], "http://a.shop.example/", &[PUBLIC]);
    refused(&[], "http://shop.example/", &[PUBLIC]);
    refused(&["shop.example"], "http://shop.example/", &[]);
}

#[test]
fn a_star_stands_for_every_name_under_it_and_not_for_itself() {
    allowed(&["*.shop.example"], "http://a.b.shop.example/", &[PUBLIC]);
    refused(&["*.shop.example"], "http://shop.example/", &[PUBLIC]);
    refused(&["*.shop.example"], "http://notshop.example/", &[PUBLIC]);
}

#[test]
fn listed_addresses_allow_whoever_is_only_there() {
    allowed(&["10.1.0.0/16"], "http://intern.example/", &["10.1.2.3", "10.1.2.4"]);
    refused(&["10.1.0.0/16"], "http://intern.example/", &["10.1.2.3", "10.2.0.1"]);
    // Not named, so a public address beside it needs a rule, too.
    refused(&["10.1.0.0/16"], "http://intern.example/", &["10.1.2.3", PUBLIC]);
    refused(&["shop.example"], &format!("http://{PUBLIC}/"), &[]);
    allowed(&[PUBLIC], &format!("http://{PUBLIC}/"), &[]);
}

#[test]
fn localhost_is_a_name_for_the_loopback_of_localhost_only() {
    allowed(&["localhost"], "http://localhost:5000/", &["127.0.0.1", "::1"]);
    allowed(&["localhost"], "http://LocalHost.:5000/", &["127.0.0.1"]);
    refused(&["localhost"], "http://localhost:5000/", &["10.0.0.1"]);
    refused(&["localhost"], "http://127.0.0.1:5000/", &[]);
    refused(&["localhost", "shop.example"], "http://shop.example/", &["127.0.0.1"]);
    refused(&["localhost"], "http://a.localhost/", &["127.0.0.1"]);
    assert!(refused(&["10.0.0.0/8"], "http://localhost/", &["127.0.0.1"]).contains("add \"localhost\""));
}

#[test]
fn credentials_of_a_cloud_and_neighbours_on_the_link_need_their_exact_address() {
    for address in ["169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16"] {
        let url = format!("http://{address}/");
        let network = format!("{}.0.0.0/8", address.split('.').next().unwrap());
        assert!(refused(&[&network], &url, &[]).contains("exactly this address"));
        refused(&["shop.example", &network], "http://shop.example/", &[address]);
        allowed(&[address], &url, &[]);
    }
    refused(&["fe80::/16"], "http://[fe80::1]/", &[]);
    refused(&["fd00:ec2::/32"], "http://[fd00:ec2::254]/", &[]);
    allowed(&["fd00:ec2::/32"], "http://[fd00:ec2::1]/", &[]);
    allowed(&["fe80::1"], "http://[fe80::1]/", &[]);
}

#[test]
fn a_port_in_a_rule_is_the_only_one() {
    allowed(&["shop.example:8080"], "http://shop.example:8080/", &[PUBLIC]);
    refused(&["shop.example:8080"], "http://shop.example/", &[PUBLIC]);
    allowed(&["shop.example:443"], "https://shop.example/", &[PUBLIC]);
    allowed(&["[fd00::/64]:81", "10.0.0.0/8:81"], "http://[fd00::5]:81/", &[]);
    refused(&["[fd00::/64]:81"], "http://[fd00::5]:82/", &[]);
}

#[test]
fn what_may_be_attacked_may_be_looked_at_and_not_the_other_way_round() {
    let lists = Lists { hosts: list(&["look.example"]), active: list(&["attack.example"]) };
    let judge = |host: &str, permission| {
        let authority = Authority::new(host, 80).unwrap();
        lists.consider(&authority, permission)?;
        lists.judge(&authority, &[PUBLIC.parse().unwrap()], permission)
    };
    assert!(judge("attack.example", Permission::Look).is_ok());
    assert!(judge("attack.example", Permission::Attack).is_ok());
    let refused = judge("look.example", Permission::Attack).unwrap_err();
    assert!(refused.to_string().contains("add \"look.example\""), "{refused}");
    assert!(refused.to_string().contains("targets.active"), "{refused}");
}

#[test]
fn odd_spellings_are_the_address_that_they_mean() {
    for odd in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0x7f.1",
        "１２７.0.0.1",
        "127.0.0.1.",
        "127%2e0.0.1",
    ] {
        let place = Place::parse(&format!("http://{odd}:80/")).unwrap();
        assert_eq!(place.authority.host(), "127.0.0.1", "{odd}");
        assert_eq!(place.url.as_str(), "http://127.0.0.1/", "{odd}");
    }
    let place = Place::parse("http://[::ffff:127.0.0.1]/").unwrap();
    assert_eq!(place.url.as_str(), "http://127.0.0.1/");
}

#[test]
fn what_two_readers_may_read_differently_is_not_read() {
    let bad = [
        "http://shop.example\\@10.0.0.1/",
        "http://user@shop.example/",
        "http://:pass@shop.example/",
        "http://@shop.example/",
        "http:@shop.example/",
        "http:///@shop.example/",
        "http://a b/",
        " http://shop.example/",
        "http://shop.example/\n",
        "http://shop.example:0/",
        "http://shop.example:99999/",
        "http:///",
        "http://[fe80::1%25eth0]/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://a..b/",
        "http://./",
        "http://a%00b/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example/",
        "javascript:alert(1)",
        "shop.example",
        "",
    ];
    for text in bad {
        assert!(Place::parse(text).is_err(), "{text:?} is {:?}", Place::parse(text));
    }
    assert!(Place::parse(&format!("http://a/{}", "x".repeat(URL_BYTES_MAX))).is_err());
    for host in ["fe80::1%eth0", "a@b", "a\\b", "a/b", "a:b", "", "[::1", "a b", "%31"] {
        assert!(Authority::new(host, 80).is_err(), "{host:?} is {:?}", Authority::new(host, 80));
    }
}

#[test]
fn a_page_cannot_join_its_way_out_unnoticed() {
    let page = Place::parse("http://shop.example:81/a/b").unwrap();
    let authority = |text: &str| page.join(text).map(|place| place.authority.to_string());
    assert_eq!(authority("../c?d#e").unwrap(), "shop.example:81");
    assert_eq!(authority("//10.0.0.1/").unwrap(), "10.0.0.1:80");
    assert_eq!(authority("https:c").unwrap_or_default(), "c:443");
    assert!(authority("/\\10.0.0.1/").is_err());
    assert!(authority("file:///etc/passwd").is_err());
    assert!(authority("//@10.0.0.1/").is_err());
    assert_eq!(authority("/@somebody/page?to=a@b").unwrap(), "shop.example:81");
}

#[test]
fn every_bad_rule_is_told_with_what_to_write() {
    let bad = [
        ("http://a/", "host alone"),
        ("a:0", "1 to 65535"),
        ("a:http", "1 to 65535"),
        ("a:+1", "1 to 65535"),
        ("*", "*.name"),
        ("a.*", "*.name"),
        ("", "*.name"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.0.0.0/33", "0 to 32"),
        ("0.0.0.0/0", "too wide"),
        ("::/0", "too wide"),
        ("0x7f.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("[10.0.0.1]:80", "IPv6"),
        ("[fd00::1]80", "IPv6"),
        ("a b", "no host name"),
        ("a..b", "no host name"),
        ("0.0.0.0", "no target"),
        ("224.0.0.1", "no target"),
    ];
    let texts: Vec<&str> = bad.iter().map(|(rule, _)| *rule).collect();
    let told = AllowList::parse(&texts).unwrap_err();
    assert_eq!(told.len(), bad.len(), "{told:?}");
    for (told, (rule, why)) in told.iter().zip(bad) {
        assert!(told.rule == rule && told.to_string().contains(why), "{told}");
    }
}

#[test]
fn rules_are_shown_as_they_are_written() {
    let rules = [
        "shop.example",
        "*.shop.example:81",
        "10.0.0.0/8",
        "10.0.0.1:80",
        "fd00::1",
        "[fd00::1]:80",
        "[fd00::/16]:1",
    ];
    assert_eq!(list(&rules).to_string(), rules.join(", "));
    assert_eq!(list(&["BÜCHER.example.", "[fd00::1]"]).to_string(), "xn--bcher-kva.example, fd00::1");
}

#[test]
fn an_address_that_carries_another_is_as_bad_as_the_worse() {
    let class = |text: &str| class(text.parse().unwrap());
    assert_eq!(class("::ffff:169.254.169.254"), Class::Metadata);
    assert_eq!(class("::169.254.169.254"), Class::Metadata);
    assert_eq!(class("::8.8.8.8"), Class::Reserved);
    assert_eq!(class("64:ff9b::127.0.0.1"), Class::Loopback);
    assert_eq!(class("64:ff9b::8.8.8.8"), Class::Public);
    assert_eq!(class("64:ff9b:1::8.8.8.8"), Class::Private);
    assert_eq!(class("64:ff9b:1::a9fe:a9fe"), Class::Metadata);
    assert_eq!(class("2002:7f00:1::"), Class::Loopback);
    assert_eq!(class("2002:808:808::"), Class::Public);
    // Teredo: the client's bits are turned; 0x80ff:fffe is 127.0.0.1.
    assert_eq!(class("2001:0:808:808::80ff:fffe"), Class::Loopback);
    assert_eq!(class("2001:0:7f00:1::f7f7:f7f7"), Class::Loopback);
    assert_eq!(class("2001:0:808:808::f7f7:f7f7"), Class::Public);
}

#[test]
fn a_scope_knows_a_host_in_every_spelling() {
    let there: Vec<SocketAddr> = vec!["127.0.0.1:5000".parse().unwrap()];
    let scope = Scope::default()
        .with(Authority::new("shop.example", 80).unwrap(), there.clone())
        .with(Authority::new("::1", 80).unwrap(), there.clone());
    for host in ["shop.example", "SHOP.Example", "shop.example."] {
        assert_eq!(scope.permits(host, 80), Some(&*there), "{host}");
    }
    assert!(scope.permits("[::1]", 80).is_some() && scope.permits("[0:0::0:1]", 80).is_some());
    assert_eq!(scope.permits("shop.example", 81), None);
    assert_eq!(scope.permits("127.0.0.1", 5000), None);
}

proptest! {
    #[test]
    fn no_text_brings_the_readers_down(text in "\\PC{0,40}", port in any::<u16>()) {
        if let Ok(place) = Place::parse(&format!("http://{text}/")) {
            // What was read once reads the same again.
            prop_assert_eq!(Place::parse(place.url.as_str()).unwrap(), place);
        }
        if let Ok(authority) = Authority::new(&text, port) {
            prop_assert_eq!(Authority::new(authority.host(), port).unwrap(), authority);
        }
        if let Ok(list) = AllowList::parse(&[&text]) {
            prop_assert_eq!(AllowList::parse(&[list.to_string()]).unwrap(), list);
        }
    }

    #[test]
    fn a_name_never_leads_to_an_address_that_is_not_public(bits in any::<u32>(), more in any::<u128>()) {
        for address in [IpAddr::V4(bits.into()), IpAddr::V6(more.into()), IpAddr::V6((0xffff_0000_0000 | u128::from(bits)).into())] {
            let authority = Authority::new("shop.example", 80).unwrap();
            let judged = looking(&["shop.example"]).judge(&authority, &[address], Permission::Look);
            prop_assert_eq!(judged.is_ok(), class(address) == Class::Public);
        }
    }

    #[test]
    fn a_network_holds_exactly_the_addresses_with_its_prefix(base in any::<u32>(), bits in 8_u8..=32, other in any::<u32>()) {
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        let network = format!("{}/{bits}", core::net::Ipv4Addr::from(base & mask));
        let address = core::net::Ipv4Addr::from(other);
        let kind = class(address.into());
        let own = Authority::new(&address.to_string(), 80).unwrap();
        let Ok(rules) = AllowList::parse(&[&network]) else { return Ok(()) };
        let lists = Lists { hosts: rules, active: AllowList::default() };
        let expected = other & mask == base & mask && (kind.may_be_listed_by_network() || (bits == 32 && kind.may_be_listed()));
        prop_assert_eq!(lists.judge(&own, &[address.into()], Permission::Look).is_ok(), expected);
    }
}
