//! One run: everybody in virtual time, one step after the other.

use std::time::Instant;

use viral_wire::ManifestError;

use crate::app::Version;
use crate::carrier::{Carried, ConnId, NetEvent, Side};
use crate::clock::{MS, Nanos, SECOND_NS};
use crate::context::{Context, Event};
use crate::invariants::{Broken, Causes, Invariants, Seconds, Violation};
use crate::net::Net;
use crate::plan::{Plan, Role};
use crate::random::Random;
use crate::rogue::Rogue;
use crate::server::{Server, ServerCounts};
use crate::timeline::Timeline;
use crate::visitor::{Account, Answered, Reason, Sabotage, Visitor};

/// What was carried is written down about so often in a run.
const SAMPLES: u64 = 240;

/// Steps between two looks at whether the run is to go on.
const STEPS_PER_LOOK: u64 = 4_096;

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The app's manifest breaks a limit of the protocol.
    #[error("the app has no manifest: {0}")]
    App(#[from] ManifestError),
    /// Something does not hold that must.
    #[error("{0}")]
    Broken(Broken),
    /// Whoever watches wants no more.
    #[error("stopped")]
    Stopped,
}

/// What became of one visitor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VisitorOutcome {
    /// When it came.
    pub arrived: Nanos,
    /// When it had the app.
    pub done: Option<Nanos>,
    /// Why it has not.
    pub reason: Option<Reason>,
    /// How it was answered.
    pub answered: Option<Answered>,
    /// What it does.
    pub role: Role,
    /// Verified bytes from peers.
    pub from_peers: u64,
    /// Bytes of the app from the origin.
    pub from_origin: u64,
    /// Bytes given to peers.
    pub to_peers: u64,
}

/// What a whole run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOutcome {
    /// By arrival.
    pub visitors: Vec<VisitorOutcome>,
    /// When it ended.
    pub ended: Nanos,
    /// What the server answered.
    pub server: ServerCounts,
    /// What the network carried.
    pub carried: Carried,
    /// Bytes that had left the origin, over time.
    pub samples: Vec<(Nanos, u64)>,
    /// Why pieces were asked of the origin.
    pub causes: Causes,
    /// Bytes that forgers sent in place of pieces.
    pub forged_bytes: u64,
    /// Steps that were taken.
    pub steps: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy)]
pub struct RunProgress {
    /// The time in it.
    pub now: Nanos,
    /// When it ends at the latest.
    pub limit: Nanos,
    /// Visitors that came.
    pub arrived: usize,
    /// Visitors of the plan.
    pub visitors: usize,
}

enum Actor {
    Visitor(Box<Visitor>),
    Rogue(Box<Rogue>),
}

/// A run under way.
struct World<'p> {
    plan: &'p Plan,
    versions: Vec<Version>,
    net: Net,
    timeline: Timeline<Event>,
    invariants: Invariants,
    random: Random,
    epoch: Instant,
    now: Nanos,
    server: Server,
    actors: Vec<Option<Actor>>,
    outcomes: Vec<VisitorOutcome>,
    arrived: usize,
    unfinished: usize,
    samples: Vec<(Nanos, u64)>,
    forged_bytes: u64,
    sabotage: Sabotage,
}

/// Runs a plan to its end. `watch` hears how far it is and says whether to go on.
///
/// # Errors
/// See [`RunError`].
pub fn run(plan: &Plan, sabotage: Sabotage, watch: &mut dyn FnMut(RunProgress) -> bool) -> Result<RunOutcome, RunError> {
    let mut world = World::new(plan, sabotage)?;
    let mut steps = 0_u64;
    while let Some(at) = world.next_at() {
        world.now = world.now.max(at);
        world.step();
        if let Some(broken) = world.invariants.broken.take() {
            return Err(RunError::Broken(broken));
        }
        steps += 1;
        if steps.is_multiple_of(STEPS_PER_LOOK) && !watch(world.progress()) {
            return Err(RunError::Stopped);
        }
    }
    world.finish()
}

impl<'p> World<'p> {
    fn new(plan: &'p Plan, sabotage: Sabotage) -> Result<Self, ManifestError> {
        let shares: Vec<f64> = plan.deploys.iter().map(|deploy| deploy.changed).collect();
        let versions = (0..=shares.len()).map(|number| Version::make(&plan.app, &shares[..number]));
        let versions = versions.collect::<Result<Vec<_>, _>>()?;
        let mut timeline = Timeline::default();
        for (index, visitor) in plan.visitors.iter().enumerate() {
            timeline.push(visitor.arrives, Event::Arrive(index));
        }
        for (index, deploy) in plan.deploys.iter().enumerate() {
            timeline.push(deploy.at, Event::Deploy(index + 1));
        }
        plan.restarts.iter().for_each(|at| timeline.push(*at, Event::Restart));
        timeline.push(0, Event::Sample);
        let outcome = |visitor: &crate::plan::VisitorPlan| VisitorOutcome {
            arrived: visitor.arrives,
            done: None,
            reason: None,
            answered: None,
            role: visitor.role,
            from_peers: 0,
            from_origin: 0,
            to_peers: 0,
        };
        let outcomes: Vec<_> = plan.visitors.iter().map(outcome).collect();
        Ok(Self {
            server: Server::new(plan.seed, plan.shared_line, &versions),
            net: Net::new(plan.network.clone(), plan.fidelity),
            timeline,
            invariants: Invariants::default(),
            random: Random::of(plan.seed, 1),
            // Only differences count.
            epoch: Instant::now(),
            now: 0,
            actors: std::iter::repeat_with(|| None).take(plan.visitors.len()).collect(),
            arrived: 0,
            // Without viral a forger is a visitor like any other.
            unfinished: outcomes.iter().filter(|outcome| plan.is_plain || outcome.role != Role::Forging).count(),
            outcomes,
            samples: Vec::new(),
            forged_bytes: 0,
            versions,
            plan,
            sabotage,
        })
    }

    fn progress(&self) -> RunProgress {
        RunProgress { now: self.now, limit: self.plan.limit, arrived: self.arrived, visitors: self.plan.visitors.len() }
    }

    /// When the next thing happens; none at the end.
    fn next_at(&self) -> Option<Nanos> {
        if self.unfinished == 0 {
            return None;
        }
        let next = self.timeline.next_at().into_iter().chain(self.net.poll_timeout()).min()?;
        (next <= self.plan.limit).then_some(next)
    }

    fn step(&mut self) {
        self.invariants.step(self.now);
        if let Some(event) = self.net.poll(self.now) {
            self.handle_net(event);
        } else if let Some(event) = self.timeline.pop_due(self.now) {
            self.handle_event(event);
        }
    }

    fn handle_net(&mut self, event: NetEvent) {
        let (conn, side) = match &event {
            NetEvent::Opened { conn, side }
            | NetEvent::Message { conn, side, .. }
            | NetEvent::Acknowledged { conn, side }
            | NetEvent::Closed { conn, side } => (*conn, *side),
        };
        match self.net.end(conn, side) {
            Some(0) => self.handle_at_origin(conn, event),
            Some(endpoint) => self.act(endpoint - 1, |actor, context| match actor {
                Actor::Visitor(visitor) => visitor.handle_net(context, event),
                Actor::Rogue(rogue) => rogue.handle_net(context, event),
            }),
            None => {}
        }
    }

    fn handle_at_origin(&mut self, conn: ConnId, event: NetEvent) {
        let Some(visitor) = self.net.end(conn, Side::A).and_then(|endpoint| endpoint.checked_sub(1)) else { return };
        self.with_server(|server, context| match event {
            NetEvent::Message { payload, .. } => server.handle_message(context, conn, visitor, payload),
            NetEvent::Closed { .. } => {
                server.handle_closed(context, conn);
                context.net.close(context.now, conn, Side::B, false);
            }
            NetEvent::Opened { .. } | NetEvent::Acknowledged { .. } => {}
        });
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Arrive(index) => self.handle_arrive(index),
            Event::Wake(index) => self.act(index, |actor, context| match actor {
                Actor::Visitor(visitor) => visitor.handle_wake(context),
                Actor::Rogue(rogue) => rogue.handle_wake(context),
            }),
            Event::Join(index) => self.visitor(index, Visitor::handle_join),
            Event::Reconnect(index) => self.act(index, |actor, context| match actor {
                Actor::Visitor(visitor) => visitor.handle_reconnect(context),
                Actor::Rogue(rogue) => rogue.handle_reconnect(context),
            }),
            Event::Look(index) => {
                let mut gives_up = false;
                self.visitor(index, |visitor, context| gives_up = visitor.handle_look(context));
                if gives_up {
                    self.leave(index);
                }
            }
            Event::Unheard(index, key) => self.act(index, |actor, context| match actor {
                Actor::Visitor(visitor) => visitor.handle_unheard(context, key),
                Actor::Rogue(rogue) => rogue.handle_unheard(context, key),
            }),
            Event::Leave(index) => self.leave(index),
            Event::Fail(index) => {
                let is_killed = self.plan.visitors[index].role == Role::Dying;
                self.visitor(index, |visitor, context| visitor.handle_fail(context, is_killed));
            }
            Event::Server => self.with_server(Server::handle_timeout),
            Event::Deploy(version) => self.with_server(|server, context| server.handle_deploy(context, version)),
            Event::Restart => self.with_server(Server::handle_restart),
            Event::Sample => self.sample(),
        }
    }

    fn handle_arrive(&mut self, index: usize) {
        self.arrived += 1;
        let plan = self.plan.visitors[index];
        let actor = if plan.role == Role::Forging && !self.plan.is_plain {
            Actor::Rogue(Box::new(Rogue::new(index)))
        } else {
            Actor::Visitor(Box::new(Visitor::new(index, self.sabotage)))
        };
        self.actors[index] = Some(actor);
        if matches!(plan.role, Role::Dying | Role::Silent) && !self.plan.is_plain {
            self.timeline.push(self.now + plan.fails_after, Event::Fail(index));
        }
        self.act(index, |actor, context| match actor {
            Actor::Visitor(visitor) => visitor.handle_arrive(context),
            Actor::Rogue(rogue) => rogue.handle_arrive(context),
        });
    }

    fn leave(&mut self, index: usize) {
        self.act(index, |actor, context| match actor {
            Actor::Visitor(visitor) => visitor.handle_leave(context),
            Actor::Rogue(rogue) => rogue.handle_leave(context),
        });
        match self.actors[index].take() {
            Some(Actor::Visitor(visitor)) => self.settle(index, visitor.last, false),
            Some(Actor::Rogue(rogue)) => self.forged_bytes += rogue.forged_bytes,
            None => {}
        }
    }

    fn sample(&mut self) {
        self.samples.push((self.now, self.net.carried().origin_up_bytes));
        self.timeline.push(self.now + (self.plan.limit / SAMPLES).max(SECOND_NS / 10), Event::Sample);
    }

    fn visitor(&mut self, index: usize, act: impl FnOnce(&mut Visitor, &mut Context<'_>)) {
        self.act(index, |actor, context| {
            if let Actor::Visitor(visitor) = actor {
                act(visitor, context);
            }
        });
    }

    fn with_server<T>(&mut self, act: impl FnOnce(&mut Server, &mut Context<'_>) -> T) -> T {
        let mut context = Context {
            now: self.now,
            net: &mut self.net,
            timeline: &mut self.timeline,
            versions: &self.versions,
            plan: self.plan,
            invariants: &mut self.invariants,
            random: &mut self.random,
            epoch: self.epoch,
        };
        act(&mut self.server, &mut context)
    }

    fn act(&mut self, index: usize, act: impl FnOnce(&mut Actor, &mut Context<'_>)) {
        let Some(actor) = self.actors.get_mut(index).and_then(Option::as_mut) else { return };
        let mut context = Context {
            now: self.now,
            net: &mut self.net,
            timeline: &mut self.timeline,
            versions: &self.versions,
            plan: self.plan,
            invariants: &mut self.invariants,
            random: &mut self.random,
            epoch: self.epoch,
        };
        act(actor, &mut context);
        let Actor::Visitor(visitor) = actor else { return };
        let outcome = &mut self.outcomes[index];
        let was_over = outcome.done.is_some() || outcome.reason.is_some();
        (outcome.done, outcome.reason, outcome.answered) = (visitor.done_at, visitor.reason, visitor.answered);
        let is_over = outcome.done.is_some() || outcome.reason.is_some();
        if is_over && !was_over {
            self.unfinished -= 1;
        }
    }

    fn finish(mut self) -> Result<RunOutcome, RunError> {
        for index in 0..self.actors.len() {
            match self.actors[index].take() {
                Some(Actor::Visitor(visitor)) => self.settle(index, visitor.account(), visitor.is_loading()),
                Some(Actor::Rogue(rogue)) => self.forged_bytes += rogue.forged_bytes,
                None => {}
            }
        }
        if let Some(broken) = self.invariants.broken.take() {
            return Err(RunError::Broken(broken));
        }
        let carried = self.net.carried();
        self.samples.push((self.now, carried.origin_up_bytes));
        Ok(RunOutcome {
            visitors: self.outcomes,
            ended: self.now,
            server: self.server.counts(self.now / MS),
            carried,
            samples: self.samples,
            causes: self.invariants.causes,
            forged_bytes: self.forged_bytes,
            steps: self.invariants.steps,
        })
    }

    /// The run ended while somebody was there.
    fn settle(&mut self, index: usize, account: Account, is_loading: bool) {
        let outcome = &mut self.outcomes[index];
        outcome.to_peers = account.to_peers;
        (outcome.from_peers, outcome.from_origin) = (account.from_peers, account.from_origin);
        if outcome.done.is_none() && outcome.reason.is_none() && outcome.role != Role::Forging {
            if is_loading || self.plan.limit.saturating_sub(outcome.arrived) < self.plan.patience {
                outcome.reason = Some(Reason::TooLate);
            } else {
                let came_s = Seconds::of(outcome.arrived);
                self.invariants.fail(Violation::Unfinished { visitor: index, came_s, held: account.held, total: account.total });
            }
        }
    }
}
