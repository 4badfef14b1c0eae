//! Who has which share of which line.

use std::collections::VecDeque;

use viral_netsim::plan::Network;

use crate::carrier::{ConnId, Side};
use crate::clock::{Nanos, SECOND_NS};

/// Lines on the way of one flow at most: its sender's, two gateways', its receiver's.
const LINES_MAX: usize = 4;

/// A line is shared anew once the flows on it are more or fewer by this part of those it was shared among: exact below 20, and at most 5 % off above.
const CHANGE: f64 = 0.05;

/// A flow; never used for two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlowId {
    slot: u32,
    turn: u32,
}

#[derive(Debug)]
struct Flow {
    turn: u32,
    of: (ConnId, Side),
    from: usize,
    to: usize,
    lines: [u32; LINES_MAX],
    count: u8,
    bytes: f64,
    left: f64,
    /// Bytes per nanosecond.
    rate: f64,
    updated: Nanos,
    /// When its end is looked for.
    looked_at: Nanos,
}

#[derive(Debug, Default)]
struct Line {
    /// Bytes per nanosecond.
    rate: f64,
    flows: Vec<u32>,
    shared_among: f64,
}

/// All lines and all flows. Numbers of lines: of endpoint `n` 2n up and 2n + 1 down, then those of gateways.
#[derive(Debug)]
pub(super) struct Shares {
    lines: Vec<Line>,
    gateways: Vec<Option<u32>>,
    flows: Vec<Option<Flow>>,
    turns: u32,
    free: Vec<u32>,
    sooner: VecDeque<(Nanos, FlowId)>,
}

impl Shares {
    pub(super) fn new(network: &Network) -> Self {
        let ends = network.endpoints.iter().flat_map(|end| [end.up, end.down]);
        let shared = network.gateways.iter().flat_map(|gateway| [gateway.up, gateway.down]);
        let line = |rate_bps: u64| Line { rate: rate_bps as f64 / 8.0 / SECOND_NS as f64, flows: Vec::new(), shared_among: 0.0 };
        Self {
            lines: ends.chain(shared).map(|shape| line(shape.rate_bps)).collect(),
            gateways: network.endpoints.iter().map(|end| end.gateway.and_then(|gateway| u32::try_from(gateway).ok())).collect(),
            flows: Vec::new(),
            turns: 0,
            free: Vec::new(),
            sooner: VecDeque::new(),
        }
    }

    /// Bytes per second of the slowest line between two endpoints, if nobody else used it.
    pub(super) fn line_rate(&self, from: usize, to: usize) -> f64 {
        let (lines, count) = self.way(from, to);
        lines[..count].iter().map(|line| self.lines[*line as usize].rate).fold(f64::INFINITY, f64::min).max(1e-9) * SECOND_NS as f64
    }

    fn way(&self, from: usize, to: usize) -> ([u32; LINES_MAX], usize) {
        let (mut lines, mut count) = ([0; LINES_MAX], 2);
        (lines[0], lines[1]) = (2 * from as u32, 2 * to as u32 + 1);
        let first = 2 * self.gateways.len() as u32;
        let (left, reached) = (self.gateways[from], self.gateways[to]);
        if left != reached {
            for line in [left.map(|gateway| first + 2 * gateway), reached.map(|gateway| first + 2 * gateway + 1)].into_iter().flatten() {
                lines[count] = line;
                count += 1;
            }
        }
        (lines, count)
    }

    /// A flow of so many bytes begins.
    pub(super) fn start(&mut self, now: Nanos, from: usize, to: usize, bytes: f64, of: (ConnId, Side)) -> FlowId {
        let (lines, count) = self.way(from, to);
        self.turns = self.turns.wrapping_add(1);
        let flow = Flow {
            turn: self.turns,
            of,
            from,
            to,
            lines,
            count: count as u8,
            bytes,
            left: bytes,
            rate: 0.0,
            updated: now,
            looked_at: Nanos::MAX,
        };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.flows.push(None);
            self.flows.len() as u32 - 1
        });
        self.flows[slot as usize] = Some(flow);
        for line in &lines[..count] {
            self.lines[*line as usize].flows.push(slot);
        }
        self.share(now, &lines[..count], Some(slot));
        FlowId { slot, turn: self.turns }
    }

    /// Whether a flow has ended by now, and whose it is; otherwise its end is looked for again.
    pub(super) fn ended(&mut self, now: Nanos, id: FlowId) -> Option<(ConnId, Side)> {
        let flow = self.flows.get_mut(id.slot as usize)?.as_mut().filter(|flow| flow.turn == id.turn)?;
        advance(now, flow);
        // Less than a bit: what rounding left over.
        if flow.left < 0.1 {
            return Some(flow.of);
        }
        flow.looked_at = Nanos::MAX;
        self.look(now, id.slot);
        None
    }

    /// Ends a flow; its ends and the bytes that it carried.
    pub(super) fn stop(&mut self, now: Nanos, id: FlowId) -> Option<(usize, usize, f64)> {
        let place = self.flows.get_mut(id.slot as usize)?;
        let mut flow = place.take_if(|flow| flow.turn == id.turn)?;
        advance(now, &mut flow);
        self.free.push(id.slot);
        let lines = &flow.lines[..usize::from(flow.count)];
        for line in lines {
            let flows = &mut self.lines[*line as usize].flows;
            if let Some(index) = flows.iter().position(|slot| *slot == id.slot) {
                flows.swap_remove(index);
            }
        }
        self.share(now, lines, None);
        Some((flow.from, flow.to, flow.bytes - flow.left))
    }

    /// A flow that ends sooner than was said before, and when.
    pub(super) fn poll_sooner(&mut self) -> Option<(Nanos, FlowId)> {
        self.sooner.pop_front()
    }

    /// The flows on these lines changed.
    fn share(&mut self, now: Nanos, lines: &[u32], newcomer: Option<u32>) {
        for number in lines {
            let line = &mut self.lines[*number as usize];
            let count = line.flows.len() as f64;
            if (count - line.shared_among).abs() <= CHANGE * line.shared_among {
                continue;
            }
            line.shared_among = count;
            // Taken out and put back: rating a flow looks at other lines, and changes none.
            let flows = std::mem::take(&mut line.flows);
            for slot in &flows {
                self.rate(now, *slot);
            }
            self.lines[*number as usize].flows = flows;
        }
        if let Some(slot) = newcomer {
            self.rate(now, slot);
        }
    }

    fn rate(&mut self, now: Nanos, slot: u32) {
        let Some(flow) = self.flows[slot as usize].as_mut() else { return };
        advance(now, flow);
        let lines = &flow.lines[..usize::from(flow.count)];
        let share = |line: &u32| {
            let line = &self.lines[*line as usize];
            line.rate / line.shared_among.max(1.0)
        };
        flow.rate = lines.iter().map(share).fold(f64::INFINITY, f64::min);
        self.look(now, slot);
    }

    fn look(&mut self, now: Nanos, slot: u32) {
        let Some(flow) = self.flows[slot as usize].as_mut() else { return };
        if flow.rate <= 0.0 {
            return;
        }
        let takes = (flow.left / flow.rate).ceil();
        let at = now.saturating_add(takes as Nanos).max(now + 1);
        if at < flow.looked_at {
            flow.looked_at = at;
            self.sooner.push_back((at, FlowId { slot, turn: flow.turn }));
        }
    }
}

fn advance(now: Nanos, flow: &mut Flow) {
    flow.left = (flow.left - flow.rate * now.saturating_sub(flow.updated) as f64).max(0.0);
    flow.updated = now;
}
