//! One connection to another peer: a str0m `Rtc` with the two negotiated channels, frames in and out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId};
use str0m::crypto::dtls::DtlsCert;
use str0m::net::Transmit;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tracing::{Span, field};
use viral_swarm::fetch::PeerKey;
use viral_swarm::upload::{CongestionWindow, SendQueue, Waiting};
use viral_wire::frame::ByeReason;
use viral_wire::limits::MESSAGE_LEN_MAX;
use viral_wire::signal::PeerNumber;
use viral_wire::{Channel, Description, Frame};

use crate::limits::{CHANNEL_LOW_BYTES, DATAGRAM_LEN_AIM, ICE_SILENCE, LINK_QUEUE_BYTES_MAX, SCTP_BUFFERED_MAX};

/// Why a connection cannot be made from a description.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// str0m refuses.
    #[error("the connection cannot be set up: {0}")]
    Rtc(#[from] str0m::RtcError),
    /// The description made an SDP that str0m does not read, or the other way round.
    #[error("the description is of no use: {0}")]
    Description(String),
    /// There are as many as one peer keeps.
    #[error("there are too many connections")]
    Full,
}

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// There is a path, and it is encrypted.
    Path,
    /// Both channels opened.
    Opened,
    /// A frame came.
    Frame(Frame),
    /// Something came that is no frame.
    Malformed,
    /// The pieces channel has room again.
    Low,
    /// The other end is gone.
    Closed,
}

/// A connection, dialled or offered.
pub(crate) struct Link {
    pub(crate) key: PeerKey,
    /// The offer's number, given by its maker.
    pub(crate) offer: u32,
    /// When a datagram last came, or the connection was answered.
    heard_at: Instant,
    is_given_up: bool,
    pub(crate) opened: bool,
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    mid: String,
    control: ChannelId,
    pieces: ChannelId,
    open: [bool; 2],
    /// The path is there and encrypted. With SNAP the channels count as open before.
    connected: bool,
    /// How many bytes of pieces may be in flight.
    congestion: CongestionWindow,
    in_flight: usize,
    /// Messages that wait for their turn, by channel; those of the control channel only while SCTP has no room at all.
    waiting: [SendQueue; 2],
    queued: usize,
    /// The turn in which its last piece was handed out.
    served: u64,
    /// More than [`CHANNEL_LOW_BYTES`] waited since the last [`LinkEvent::Low`].
    is_high: bool,
    /// A message cannot be sent at all.
    is_broken: bool,
    /// When str0m wants to be called again.
    pub(crate) due: Instant,
    /// Around all that happens here, str0m's own log among it.
    pub(crate) span: Span,
}

/// What all links of one peer have in common.
pub(crate) struct LinkConfig {
    pub(crate) certificate: DtlsCert,
    pub(crate) candidates: Vec<Candidate>,
}

impl LinkConfig {
    /// Of sockets at these addresses, with a certificate of its own.
    pub(crate) fn new(addresses: &[SocketAddr]) -> Result<Self, LinkError> {
        let unusable = |error: &dyn std::fmt::Display| LinkError::Description(error.to_string());
        let candidates = addresses.iter().map(|address| Candidate::host(*address, "udp"));
        let candidates = candidates.collect::<Result<_, _>>().map_err(|error| unusable(&error))?;
        let provider = str0m::crypto::from_feature_flags();
        let certificate = provider.dtls_provider.generate_certificate().ok_or_else(|| unusable(&"no certificate"))?;
        Ok(Self { certificate, candidates })
    }

    fn rtc(&self, now: Instant) -> Rtc {
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .set_dtls_cert(self.certificate.clone())
            .set_dtls_version(str0m::crypto::dtls::DtlsVersion::Auto)
            .set_sctp_max_buffered_amount(SCTP_BUFFERED_MAX)
            .set_mtu(DATAGRAM_LEN_AIM..=DATAGRAM_LEN_AIM)
            .set_snap_enabled(true)
            .build(now);
        for candidate in &self.candidates {
            rtc.add_local_candidate(candidate.clone());
        }
        rtc
    }
}

impl Link {
    /// A connection that waits for somebody to answer; the description to leave with the tracker.
    pub(crate) fn offering(config: &LinkConfig, now: Instant, key: PeerKey, offer: u32) -> Result<(Self, Description), LinkError> {
        let mut rtc = config.rtc(now);
        let mut changes = rtc.sdp_api();
        let control = changes.add_channel_with_config(negotiated(Channel::Control));
        let pieces = changes.add_channel_with_config(negotiated(Channel::Pieces));
        let Some((sdp, pending)) = changes.apply() else { return Err(LinkError::Description("nothing to offer".to_owned())) };
        let sdp = sdp.to_sdp_string();
        let description = Description::from_sdp(&sdp).map_err(|error| LinkError::Description(error.to_string()))?;
        let mid = Description::mid_of(&sdp).unwrap_or("0").to_owned();
        let mut link = Self::new(rtc, now, key, offer, control, pieces);
        link.pending = Some(pending);
        link.mid = mid;
        Ok((link, description))
    }

    /// A connection from somebody's offer; the answer to send.
    pub(crate) fn answering(
        config: &LinkConfig,
        now: Instant,
        key: PeerKey,
        (peer, offer): (PeerNumber, u32),
        description: &Description,
    ) -> Result<(Self, Description), LinkError> {
        let mut rtc = config.rtc(now);
        let sdp = SdpOffer::from_sdp_string(&description.to_sdp("0")).map_err(|error| LinkError::Description(error.to_string()))?;
        let answer = rtc.sdp_api().accept_offer(sdp)?.to_sdp_string();
        let control = rtc.direct_api().create_data_channel(negotiated(Channel::Control));
        let pieces = rtc.direct_api().create_data_channel(negotiated(Channel::Pieces));
        let answer = Description::from_sdp(&answer).map_err(|error| LinkError::Description(error.to_string()))?;
        let link = Self::new(rtc, now, key, offer, control, pieces);
        link.met(peer);
        Ok((link, answer))
    }

    fn new(rtc: Rtc, now: Instant, key: PeerKey, offer: u32, control: ChannelId, pieces: ChannelId) -> Self {
        Self {
            key,
            offer,
            heard_at: now,
            is_given_up: false,
            opened: false,
            rtc,
            pending: None,
            mid: String::new(),
            control,
            pieces,
            open: [false; 2],
            connected: false,
            congestion: CongestionWindow::new(now),
            in_flight: 0,
            waiting: Default::default(),
            queued: 0,
            served: 0,
            is_high: false,
            is_broken: false,
            due: now,
            span: tracing::debug_span!("connection", key, offer, peer = field::Empty),
        }
    }

    fn met(&self, peer: PeerNumber) {
        self.span.record("peer", field::display(peer));
    }

    /// Somebody answered our offer.
    pub(crate) fn accept(&mut self, now: Instant, peer: PeerNumber, answer: &Description) -> Result<(), LinkError> {
        let Some(pending) = self.pending.take() else { return Err(LinkError::Description("answered twice".to_owned())) };
        let sdp = SdpAnswer::from_sdp_string(&answer.to_sdp(&self.mid)).map_err(|error| LinkError::Description(error.to_string()))?;
        self.met(peer);
        let _entered = self.span.clone().entered();
        self.rtc.handle_input(Input::Timeout(now))?;
        self.rtc.sdp_api().accept_answer(pending, sdp)?;
        self.heard_at = now;
        self.due = now;
        Ok(())
    }

    /// Looks for the other end at these addresses, too.
    pub(crate) fn reach(&mut self, now: Instant, candidates: &[viral_wire::description::Candidate]) -> Result<(), LinkError> {
        for line in Description::candidate_lines(candidates) {
            let candidate = Candidate::from_sdp_string(&line).map_err(|error| LinkError::Description(error.to_string()))?;
            self.rtc.add_remote_candidate(candidate);
        }
        self.handle_input(Input::Timeout(now))
    }

    /// Whether nobody answered it yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// When it is given up, unless something is heard before; none once there is a path, or while nobody answered.
    pub(crate) fn silent_at(&self) -> Option<Instant> {
        (!self.connected && !self.is_waiting() && !self.is_given_up).then(|| self.heard_at + ICE_SILENCE)
    }

    /// Nothing was heard for too long: it is told once, and waits to be closed.
    pub(crate) fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// Whether this datagram is for this connection.
    pub(crate) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// Gives a datagram or the time to str0m; an error means that the connection is over.
    pub(crate) fn handle_input(&mut self, input: Input<'_>) -> Result<(), LinkError> {
        if let Input::Receive(now, _) = &input {
            self.heard_at = *now;
        }
        let _entered = self.span.enter();
        Ok(self.rtc.handle_input(input)?)
    }

    /// Takes out everything that str0m has to say: datagrams to send and events. An error means that the connection is over.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        transmits: &mut VecDeque<Transmit>,
        mut event: impl FnMut(LinkEvent),
    ) -> Result<(), LinkError> {
        let _entered = self.span.clone().entered();
        loop {
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => transmits.push_back(transmit),
                Output::Event(happened) => self.handle_event(happened, &mut event),
                Output::Timeout(due) => {
                    self.due = due;
                    // What was acknowledged makes room for more.
                    if !self.flush() {
                        break;
                    }
                }
            }
        }
        self.note(now);
        if self.is_broken {
            return Err(LinkError::Description("it takes no messages as long as ours".to_owned()));
        }
        if self.is_high && self.queued <= CHANNEL_LOW_BYTES {
            self.is_high = false;
            event(LinkEvent::Low);
        }
        Ok(())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "str0m has two dozen events, nearly all of them about media")]
    fn handle_event(&mut self, happened: Event, event: &mut impl FnMut(LinkEvent)) {
        match happened {
            Event::ChannelOpen(id, _) => {
                self.open[usize::from(id == self.pieces)] |= id == self.pieces || id == self.control;
                self.open_if_ready(event);
            }
            Event::Connected => {
                self.connected = true;
                event(LinkEvent::Path);
                self.open_if_ready(event);
            }
            Event::ChannelData(data) => {
                let channel = if data.id == self.pieces { Channel::Pieces } else { Channel::Control };
                // A text message counts as an empty one, which is no frame.
                let message = if data.binary { data.data.as_slice() } else { &[] };
                event(match Frame::decode(channel, message) {
                    Ok(frame) => LinkEvent::Frame(frame),
                    Err(_) => LinkEvent::Malformed,
                });
            }
            // Before there was a path this only says that no candidate of ours works: the other side's own checks may still find us.
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) if !self.connected => {}
            Event::ChannelClose(_) | Event::Closed | Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                event(LinkEvent::Closed);
            }
            _ => {}
        }
    }

    fn open_if_ready(&mut self, event: &mut impl FnMut(LinkEvent)) {
        if self.connected && self.open == [true; 2] && !self.opened {
            self.opened = true;
            event(LinkEvent::Opened);
        }
    }

    /// Sends a frame, before less urgent ones of the same channel; false if the connection cannot take it.
    pub(crate) fn send(&mut self, frame: &Frame, urgency: u64) -> bool {
        let Ok(message) = frame.encode() else { return false };
        if !self.opened || self.queued + message.len() > LINK_QUEUE_BYTES_MAX || message.len() > MESSAGE_LEN_MAX {
            return false;
        }
        self.queued += message.len();
        self.waiting[frame.channel() as usize].push(urgency, message);
        self.flush();
        self.is_high |= self.queued > CHANNEL_LOW_BYTES;
        true
    }

    /// Hands the messages of the control channel to str0m, as far as it has room. True if there was any.
    fn flush(&mut self) -> bool {
        let mut is_any = false;
        while let Some(len) = self.write_next(Channel::Control, self.control) {
            self.queued -= len;
            is_any = true;
        }
        is_any
    }

    /// Looks how much of what was handed to str0m is acknowledged.
    fn note(&mut self, now: Instant) {
        let in_flight = self.rtc.channel(self.pieces).map_or(0, |mut channel| channel.buffered_amount());
        self.in_flight = in_flight;
        self.congestion.note(now, in_flight);
    }

    /// Bytes of pieces that the other end did not acknowledge yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// When the oldest piece that the other end did not acknowledge yet was sent.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.congestion.oldest()
    }

    /// Bytes that its path holds, twice.
    pub(crate) fn path_len(&self) -> usize {
        self.congestion.path_len()
    }

    /// What waits for its turn, if it is open and its path has room for the next piece.
    pub(crate) fn next_piece(&self, now: Instant) -> Option<Waiting> {
        let send_queue = &self.waiting[Channel::Pieces as usize];
        let next = send_queue.next().filter(|_| self.opened)?;
        let fits = self.congestion.admits(now, self.in_flight, next.len());
        fits.then(|| Waiting {
            peer: self.key,
            urgency: send_queue.urgency(),
            served: self.served,
            stalled: self.congestion.is_stalled(now),
        })
    }

    /// When the channel of a piece that waits counts as stalled ([`CongestionWindow::is_stalled`]), unless the other end acknowledges something before.
    pub(crate) fn stalls_at(&self) -> Option<Instant> {
        if self.waiting[Channel::Pieces as usize].is_empty() { None } else { self.congestion.stalls_at() }
    }

    /// Hands the next piece to str0m; its length, 0 if there is no room. Its datagrams leave with the next drain.
    pub(crate) fn write_piece(&mut self, now: Instant, turn: u64) -> usize {
        let Some(len) = self.write_next(Channel::Pieces, self.pieces) else { return 0 };
        self.served = turn;
        self.queued -= len;
        self.in_flight += len;
        self.congestion.write(now, len);
        len
    }

    /// Hands the next message of a channel to str0m, unless there is none or no room; its length.
    fn write_next(&mut self, channel: Channel, id: ChannelId) -> Option<usize> {
        let message = self.waiting[channel as usize].next()?;
        let written = match self.rtc.channel(id).map(|mut channel| channel.write(true, message)) {
            Some(Ok(written)) => written,
            None => false,
            // It never will: longer than the other side takes, for one.
            Some(Err(error)) => {
                tracing::debug!(key = self.key, %error, "a message cannot be sent");
                self.is_broken = true;
                false
            }
        };
        if written { self.waiting[channel as usize].pop().map(|message| message.len()) } else { None }
    }

    /// Bytes that wait to be sent. As in a browser, what is in flight does not count.
    pub(crate) fn buffered(&self) -> u64 {
        self.queued as u64
    }

    /// Says goodbye, if it is open, and ends the connection; what is left to send goes into `transmits`.
    pub(crate) fn close(mut self, now: Instant, reason: Option<ByeReason>, transmits: &mut VecDeque<Transmit>) {
        if let Some(reason) = reason {
            self.send(&Frame::Bye { reason }, 0);
        }
        let _ = self.drain(now, transmits, |_| ());
        if self.opened && self.rtc.close().is_ok() {
            let _ = self.drain(now, transmits, |_| ());
        }
    }
}

fn negotiated(channel: Channel) -> ChannelConfig {
    ChannelConfig { negotiated: Some(channel as u16), ..ChannelConfig::default() }
}
