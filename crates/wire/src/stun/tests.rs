//! The test vectors of RFC 5769, what is refused, and what holds of all requests.

use proptest::prelude::*;

use super::*;

const TRANSACTION: Transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

/// RFC 5769 section 2.1: a request with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, MESSAGE-INTEGRITY and FINGERPRINT.
const SAMPLE_REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36\
    000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
/// Section 2.2: a success with SOFTWARE, XOR-MAPPED-ADDRESS (192.0.2.1:32853), MESSAGE-INTEGRITY and FINGERPRINT.
const SAMPLE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd9e90c38c74\
    89f92af9ba53f06be7d780280004c07d4c96";
/// Section 2.3: the same with 2001:db8:1234:5678:11:2233:4455:6677.
const SAMPLE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9\
    00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn source(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A request with these attributes behind its head.
fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = encode_request(&TRANSACTION);
    for (kind, value) in attributes {
        put(&mut message, *kind, value);
    }
    message
}

fn fingerprinted(mut message: Vec<u8>) -> Vec<u8> {
    set_len(&mut message, FINGERPRINT_LEN);
    let sum = fingerprint(&message);
    put(&mut message, FINGERPRINT, &sum.to_be_bytes());
    message
}

#[test]
fn the_samples_of_rfc_5769_are_read() {
    assert_eq!(decode_success(&bytes(SAMPLE_V4), &TRANSACTION), Ok(source("192.0.2.1:32853")));
    assert_eq!(decode_success(&bytes(SAMPLE_V6), &TRANSACTION), Ok(source("[2001:db8:1234:5678:11:2233:4455:6677]:32853")));
    let request = decode_request(&bytes(SAMPLE_REQUEST)).unwrap();
    assert_eq!((request.transaction, request.unknown.as_slice(), request.is_fingerprinted), (TRANSACTION, [0x0024].as_slice(), true));
}

#[test]
fn a_bare_request_is_told_its_address_in_32_or_44_bytes() {
    let bare = encode_request(&TRANSACTION);
    assert_eq!(bare.len(), 20);
    let request = decode_request(&bare).unwrap();
    for (from, told, len) in [
        ("192.0.2.1:32853", "192.0.2.1:32853", 32),
        ("[::ffff:192.0.2.1]:9", "192.0.2.1:9", 32),
        ("[2001:db8::1]:1", "[2001:db8::1]:1", 44),
    ] {
        let answer = request.answer(source(from)).unwrap();
        assert_eq!((answer.len(), decode_success(&answer, &TRANSACTION)), (len, Ok(source(told))));
        assert!(is_success(&answer) && !is_success(&bare));
    }
}

#[test]
fn who_sends_a_fingerprint_gets_one() {
    let request = decode_request(&fingerprinted(request(&[]))).unwrap();
    let answer = request.answer(source("192.0.2.1:1")).unwrap();
    assert_eq!((answer.len(), decode_success(&answer, &TRANSACTION)), (40, Ok(source("192.0.2.1:1"))));
}

#[test]
fn what_is_no_whole_binding_request_is_refused() {
    let bare = encode_request(&TRANSACTION);
    let changed = |at: usize, byte: u8| {
        let mut message = bare.clone();
        message[at] = byte;
        decode_request(&message)
    };
    assert_eq!(changed(0, 1), Err(StunError::Type(0x0101)), "a success");
    assert_eq!(changed(1, 0x11), Err(StunError::Type(0x0011)), "an indication");
    assert_eq!(changed(0, 0x40), Err(StunError::Type(0x4001)), "TURN channel data");
    assert_eq!(changed(4, 0), Err(StunError::NotStun), "without the cookie");
    assert_eq!(changed(3, 4), Err(StunError::NotStun), "longer than it is");
    assert_eq!(decode_request(&bare[..19]), Err(StunError::NotStun));
    assert_eq!(decode_request(&[]), Err(StunError::NotStun));
    let mut cut = request(&[(0x8022, b"abcd")]);
    cut[23] = 5;
    assert_eq!(decode_request(&cut), Err(StunError::Attribute));
    let mut wrong = fingerprinted(request(&[]));
    wrong[27] ^= 1;
    assert_eq!(decode_request(&wrong), Err(StunError::Fingerprint));
    let mut behind = fingerprinted(request(&[]));
    put(&mut behind, 0x8022, b"x");
    assert_eq!(decode_request(&behind), Err(StunError::Fingerprint));
}

#[test]
fn a_request_has_at_most_stun_len_max_bytes() {
    let padded = |len: usize| request(&[(0x8022, &vec![0; len - 24])]);
    assert!(decode_request(&padded(STUN_LEN_MAX)).is_ok());
    assert_eq!(decode_request(&padded(STUN_LEN_MAX + 4)), Err(StunError::NotStun));
}

#[test]
fn a_demand_that_nobody_knows_is_refused_only_where_that_is_no_longer() {
    let from = source("192.0.2.1:1");
    let answer = |attributes: &[(u16, &[u8])]| decode_request(&request(attributes)).unwrap().answer(from);
    assert_eq!(answer(&[(0x0003, &[])]), None, "36 bytes for 24");
    let refusal = answer(&[(0x0003, &[0; 12])]).expect("36 bytes for 36");
    assert_eq!(refusal.len(), 36);
    assert_eq!(refusal[..2], REFUSAL.to_be_bytes());
    assert_eq!(refusal[20..], [0, 9, 0, 4, 0, 0, 4, 20, 0, 10, 0, 2, 0, 3, 0, 0]);
    let many = |count: usize| -> Vec<(u16, &[u8])> { (0..count).map(|at| (0x0100 + at as u16, [0; 4].as_slice())).collect() };
    assert!(answer(&many(STUN_UNKNOWN_MAX)).is_some() && answer(&many(STUN_UNKNOWN_MAX + 1)).is_none());
    assert!(decode_success(&answer(&[(0x0006, b"name"), (0x8023, &[])]).unwrap(), &TRANSACTION).is_ok(), "credentials are passed over");
}

#[test]
fn an_answer_to_another_request_is_none() {
    let answer = decode_request(&encode_request(&[1; 12])).unwrap().answer(source("192.0.2.1:1")).unwrap();
    assert_eq!(decode_success(&answer, &TRANSACTION), Err(StunError::Transaction));
    let mut none = answer[..20].to_vec();
    none[3] = 0;
    assert_eq!(decode_success(&none, &[1; 12]), Err(StunError::NoAddress));
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    (any::<bool>(), any::<u32>(), any::<u128>(), any::<u16>()).prop_map(|(is_v4, v4, v6, port)| {
        let ip = if is_v4 { IpAddr::V4(Ipv4Addr::from_bits(v4)) } else { IpAddr::V6(Ipv6Addr::from_bits(v6)) };
        SocketAddr::new(ip.to_canonical(), port)
    })
}

proptest! {
    #[test]
    fn every_address_comes_back(transaction: Transaction, address in any_address()) {
        let answer = decode_request(&encode_request(&transaction)).unwrap().answer(address).unwrap();
        prop_assert_eq!(decode_success(&answer, &transaction), Ok(address));
    }

    #[test]
    fn no_answer_is_a_request_or_longer_than_a_request_by_more_than_24_bytes(
        attributes in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..24)), 0..6), address in any_address()
    ) {
        let attributes: Vec<(u16, &[u8])> = attributes.iter().map(|(kind, value)| (*kind, value.as_slice())).collect();
        let message = request(&attributes);
        if let Some(answer) = decode_request(&message).ok().and_then(|request| request.answer(address)) {
            prop_assert!(decode_request(&answer).is_err());
            prop_assert!(answer.len() <= message.len() + 24);
        }
    }

    #[test]
    fn nothing_makes_it_panic(datagram in prop::collection::vec(any::<u8>(), 0..80), transaction: Transaction) {
        let _ = (decode_request(&datagram), decode_success(&datagram, &transaction));
        let mut stun = encode_request(&transaction);
        stun.extend(datagram);
        let len = (stun.len() - 20) as u16;
        stun[2..4].copy_from_slice(&len.to_be_bytes());
        let _ = decode_request(&stun);
    }
}
