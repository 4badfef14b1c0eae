//! Packet filters that make a Linux router into a NAT of some kind (nftables).
//!
//! The device towards the network is `vlab0`, the one towards the home `home0`.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::Kind;

/// What came from outside and answers nothing ends here, before it leaves an entry that would move the port of what leaves later.
const DROP: &str = "chain input {\n type filter hook input priority filter;\n iifname \"vlab0\" ct state new drop\n }\n";

/// Which port of the router is which socket inside, as each flow that leaves shows it.
const LEARN: &str = "map sockets {\n type inet_service : ipv4_addr . inet_service; size 65535; flags dynamic,timeout; timeout 5m;\n }\n\
     chain learn {\n type filter hook postrouting priority srcnat + 1;\n \
     oifname \"vlab0\" meta l4proto udp update @sockets { ct reply proto-dst : ct original ip saddr . ct original proto-src }\n }\n";

/// The same for each address that was sent to.
const LEARN_BY_ADDRESS: &str = "map known {\n type ipv4_addr . inet_service : ipv4_addr . inet_service; size 65535; flags dynamic,timeout; timeout 5m;\n }\n\
     chain learn {\n type filter hook postrouting priority srcnat + 1;\n \
     oifname \"vlab0\" meta l4proto udp update @known { ip daddr . ct reply proto-dst : ct original ip saddr . ct original proto-src }\n }\n";

/// Over IPv6 there is no NAT, and what nobody asked for does not come in.
const IPV6: &str =
    "table ip6 home {\nchain forward {\n type filter hook forward priority filter;\n iifname \"vlab0\" ct state new drop\n }\n}\n";

/// The filter of a home's router. Of a carrier both routers have it.
#[must_use]
pub fn filter(kind: Kind) -> String {
    let mut rules = String::from("table ip home {\n");
    let how = match kind {
        Kind::OtherPort => " to :10000-20000",
        Kind::Symmetric | Kind::SymmetricIpv6 => " random",
        Kind::FullCone
        | Kind::AddressRestricted
        | Kind::PortRestricted
        | Kind::Plain
        | Kind::Carrier
        | Kind::UdpBlocked
        | Kind::Ipv6Only => "",
    };
    let _ = write!(
        rules,
        "chain out {{\n type nat hook postrouting priority srcnat;\n oifname \"vlab0\" meta l4proto udp masquerade{how}\n oifname \"vlab0\" masquerade\n }}\n"
    );
    match kind {
        Kind::FullCone => rules.push_str(&inward(LEARN, "udp dport map @sockets")),
        Kind::AddressRestricted => rules.push_str(&inward(LEARN_BY_ADDRESS, "ip saddr . udp dport map @known")),
        Kind::UdpBlocked => rules.push_str("chain forward {\n type filter hook forward priority filter;\n meta l4proto udp drop\n }\n"),
        Kind::PortRestricted | Kind::OtherPort | Kind::Plain | Kind::Symmetric | Kind::Carrier | Kind::Ipv6Only | Kind::SymmetricIpv6 => {}
    }
    if kind != Kind::Plain {
        rules.push_str(DROP);
    }
    rules.push_str("}\n");
    if kind.has_ipv6() {
        rules.push_str(IPV6);
    }
    rules
}

fn inward(learn: &str, to: &str) -> String {
    format!("{learn}chain in {{\n type nat hook prerouting priority dstnat;\n iifname \"vlab0\" dnat ip to {to}\n }}\n")
}

/// Makes a router with the address `public` send back what its own side sends to that address: hairpin. The sender is seen under that address, too.
#[must_use]
pub fn hairpin(public: Ipv4Addr) -> String {
    format!(
        "table ip hairpin {{\n{LEARN}\
         chain in {{\n type nat hook prerouting priority dstnat;\n iifname \"home0\" ip daddr {public} dnat ip to udp dport map @sockets\n }}\n\
         chain out {{\n type nat hook postrouting priority srcnat;\n oifname \"home0\" ct status dnat snat to {public}\n }}\n}}\n"
    )
}
