use super::*;

const SERVER: &str = "198.51.100.1";
const PORTS: [u16; 2] = [443, 444];

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn asking(sockets: &[&str]) -> Reflexive {
    let mut reflexive = Reflexive::new(1);
    let sockets: Vec<SocketAddr> = sockets.iter().map(|text| at(text)).collect();
    reflexive.handle_servers(0, SERVER.parse().unwrap(), &PORTS, &sockets);
    reflexive
}

fn questions(reflexive: &mut Reflexive) -> Vec<StunQuestion> {
    std::iter::from_fn(|| reflexive.poll()).collect()
}

/// Answers everything that is asked with what `sees` makes of it.
fn answered(reflexive: &mut Reflexive, sees: impl Fn(&StunQuestion) -> SocketAddr) -> usize {
    let asked = questions(reflexive);
    for question in &asked {
        assert!(reflexive.handle_success(question.from, question.to, question.transaction, sees(question)));
    }
    asked.len()
}

#[test]
fn each_socket_of_the_servers_family_asks_at_both_ports_and_is_kept_alive() {
    let mut reflexive = asking(&["10.0.0.7:5000", "[fd00::7]:5000", "127.0.0.1:5000"]);
    assert_eq!(reflexive.waits_until(0), Some(STUN_WAIT_MS));
    assert_eq!(answered(&mut reflexive, |_| at("203.0.113.7:40000")), 2);
    assert_eq!(reflexive.mapped(), [(at("10.0.0.7:5000"), at("203.0.113.7:40000"))]);
    assert_eq!((reflexive.nat(), reflexive.waits_until(0)), (Some(NatKind::PortRestricted), None));
    let due = reflexive.poll_timeout().unwrap();
    assert!((STUN_KEEP_MS..=25_000).contains(&due), "a NAT forgets after 30 s");
    reflexive.handle_timeout(due);
    assert_eq!(answered(&mut reflexive, |_| at("203.0.113.7:40001")), 2);
    assert_eq!(reflexive.mapped()[0].1, at("203.0.113.7:40001"), "it has another port now");
}

#[test]
fn nobody_who_answers_is_waited_for_and_few_questions_are_asked() {
    let mut reflexive = asking(&["10.0.0.7:5000"]);
    let mut asked = questions(&mut reflexive).len();
    for now_ms in 1..=60_000 {
        reflexive.handle_timeout(now_ms);
        asked += questions(&mut reflexive).len();
    }
    assert_eq!(reflexive.waits_until(STUN_WAIT_MS), None);
    assert_eq!((asked, reflexive.mapped(), reflexive.nat()), (2 * 4 * 3, vec![], None), "four tries in each of three rounds");
}

#[test]
fn a_port_for_each_destination_is_believed_when_it_is_seen_again() {
    let mut reflexive = asking(&["10.0.0.7:5000"]);
    let by_port = |question: &StunQuestion| SocketAddr::new(at("203.0.113.7:1").ip(), question.to.port() + 10_000);
    answered(&mut reflexive, by_port);
    assert_eq!(reflexive.nat(), None);
    reflexive.handle_timeout(reflexive.poll_timeout().unwrap());
    answered(&mut reflexive, by_port);
    assert_eq!(reflexive.nat(), Some(NatKind::Symmetric));
}

#[test]
fn who_is_seen_as_it_is_is_behind_nothing() {
    let mut reflexive = asking(&["203.0.113.7:5000"]);
    answered(&mut reflexive, |question| question.from);
    assert_eq!((reflexive.nat(), reflexive.mapped()), (Some(NatKind::Open), vec![]));
}

#[test]
fn what_nobody_asked_is_not_believed() {
    let mut reflexive = asking(&["10.0.0.7:5000"]);
    let question = questions(&mut reflexive)[0];
    let mapped = at("203.0.113.66:1");
    assert!(!reflexive.handle_success(question.from, at("203.0.113.66:443"), question.transaction, mapped), "another server");
    assert!(!reflexive.handle_success(at("10.0.0.7:1"), question.to, question.transaction, mapped), "another socket");
    assert!(!reflexive.handle_success(question.from, question.to, [0; 12], mapped), "another transaction");
    assert!(reflexive.handle_success(question.from, question.to, question.transaction, mapped));
    assert!(!reflexive.handle_success(question.from, question.to, question.transaction, mapped), "twice");
}

#[test]
fn a_server_that_stops_to_answer_is_asked_no_more_once_it_says_so() {
    let mut reflexive = asking(&["10.0.0.7:5000"]);
    questions(&mut reflexive);
    reflexive.handle_servers(5, SERVER.parse().unwrap(), &PORTS, &[]);
    assert!(reflexive.poll_timeout().is_some(), "the same again changes nothing");
    reflexive.handle_servers(5, SERVER.parse().unwrap(), &[], &[at("10.0.0.7:5000")]);
    assert_eq!((reflexive.poll_timeout(), reflexive.poll()), (None, None));
}
