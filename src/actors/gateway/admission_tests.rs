//! Who is let in, and that every permit gives back what it took.

use super::*;

fn admission(change: impl FnOnce(&mut Limits)) -> Arc<Admission> {
    let mut limits = Limits::default();
    change(&mut limits);
    Admission::new(limits)
}

fn address(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

fn principal(name: &str) -> Principal {
    Principal(name.to_owned())
}

#[test]
fn sessions_are_bounded_by_address_principal_and_in_all() {
    let admission = admission(|limits| {
        (limits.sessions, limits.sessions_per_address, limits.sessions_per_principal) = (3, 2, 2);
    });
    let first = admission.open(address(1), &principal("a")).expect("free");
    let _second = admission.open(address(2), &principal("a")).expect("free");
    assert_eq!(admission.open(address(3), &principal("a")).unwrap_err(), HttpRefusal::TooMany("principal"));
    let _third = admission.open(address(1), &principal("b")).expect("free");
    assert_eq!(admission.open(address(9), &principal("c")).unwrap_err(), HttpRefusal::Full);
    drop(first);
    assert_eq!(admission.sessions(), 2);
    let _again = admission.open(address(1), &principal("a")).expect("given back");
}

#[test]
fn an_address_at_its_limit_is_refused_and_others_are_not() {
    let admission = admission(|limits| limits.sessions_per_address = 1);
    let _held = admission.open(address(1), &principal("a")).expect("free");
    assert_eq!(admission.open(address(1), &principal("b")).unwrap_err(), HttpRefusal::TooMany("address"));
    assert!(admission.open(address(2), &principal("b")).is_ok());
}

#[test]
fn connections_are_bounded_so_that_refusals_still_fit() {
    let admission = admission(|limits| (limits.sessions, limits.sessions_per_address) = (1, 1));
    let held: Vec<_> =
        (0..HTTP_CONNECTIONS_EXTRA_PER_ADDRESS + 1).map(|_| admission.connect(address(1))).collect();
    assert!(held.iter().all(Option::is_some));
    assert!(admission.connect(address(1)).is_none());
    assert!(admission.connect(address(2)).is_some());
    drop(held);
    assert!(admission.connect(address(1)).is_some());
}

#[test]
fn one_host_with_many_ipv6_addresses_is_one_address() {
    let admission = admission(|limits| limits.sessions_per_address = 1);
    let of = |text: &str| text.parse::<IpAddr>().expect("an address");
    let _held = admission.open(of("2001:db8::1"), &principal("a")).expect("free");
    assert!(admission.open(of("2001:db8::2"), &principal("a")).is_err());
    assert!(admission.open(of("2001:db8:0:1::1"), &principal("a")).is_ok());
}

#[test]
fn a_burst_is_let_through_and_then_paced_with_a_time_to_wait() {
    let admission = admission(|limits| (limits.rate_per_second, limits.rate_burst) = (1, 3));
    let session = admission.open(address(1), &principal("a")).expect("the first of three");
    assert_eq!((session.pace(), session.pace()), (Ok(()), Ok(())));
    let WireError::RateLimited { retry_after, .. } = session.pace().unwrap_err() else { panic!("not paced") };
    assert!(retry_after <= Duration::from_secs(1));
    assert!(matches!(admission.open(address(1), &principal("a")), Err(HttpRefusal::RateLimited(_))));
    assert!(admission.open(address(1), &principal("b")).is_ok(), "another's share is untouched");
}

#[test]
fn calls_are_bounded_by_principal_and_in_all() {
    let admission = admission(|limits| (limits.in_flight_per_principal, limits.in_flight) = (2, 3));
    let a = admission.open(address(1), &principal("a")).expect("free");
    let b = admission.open(address(1), &principal("b")).expect("free");
    let mut running = vec![a.start_call().expect("free"), a.start_call().expect("free")];
    assert!(matches!(a.start_call(), Err(WireError::Overloaded { .. })));
    running.push(b.start_call().expect("another's share"));
    assert!(matches!(b.start_call(), Err(WireError::Overloaded { .. })), "three run in all");
    running.clear();
    assert!(b.start_call().is_ok());
}
