//! What is told of each site.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use viral_swarm::locality::Tier;
use viral_swarm::shadow::ShadowCounts;
use viral_swarm::tracker::{Refused, TrackerCounts};

use super::encode::{Family, Labels};
use crate::stats::{Counted, KINDS};

/// One site in numbers, gathered without looking at any visitor.
#[derive(Debug)]
pub(crate) struct SiteNumbers {
    /// What was answered and sent.
    pub(crate) counted: Counted,
    /// What the tracker knows.
    pub(crate) tracker: TrackerCounts,
    /// What the line of a visitor carries, in bytes per second, if that is known.
    pub(crate) line_rate: Option<u64>,
    /// Pages and browsers in which thin visits are compared with others.
    pub(crate) trials: usize,
    /// Of these, where nobody is answered thin, by what spoke against it.
    pub(crate) trials_off: Vec<(&'static str, usize)>,
    /// How visitors would have been answered who were only counted.
    pub(crate) shadow: ShadowCounts,
}

/// Several sites. Rows of one family stand together, whatever site they are of.
#[derive(Debug)]
pub(super) struct SitesCollector(pub(super) Vec<(Option<String>, SiteNumbers)>);

/// Rows of one site before it is named: further labels and the value.
type Rows<V> = Vec<(Vec<(&'static str, &'static str)>, V)>;

impl SitesCollector {
    /// The rows of all sites.
    fn rows<V>(&self, of_site: impl Fn(&SiteNumbers) -> Rows<V>) -> Vec<(Labels, V)> {
        let named = |(host, numbers): &(Option<String>, SiteNumbers)| {
            let site: Labels = host.iter().map(|host| ("site", host.clone().into())).collect();
            let rows = of_site(numbers).into_iter();
            rows.map(move |(labels, value)| {
                let more = labels.into_iter().map(|(name, value)| (name, value.into()));
                (site.iter().cloned().chain(more).collect(), value)
            })
            .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(named).collect()
    }
}

impl Collector for SitesCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let encoder = &mut encoder;
        self.answers(encoder)?;
        self.bytes(encoder)?;
        self.swarm(encoder)?;
        self.faults(encoder)?;
        self.pays(encoder)
    }
}

impl SitesCollector {
    fn answers(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let rows = self.rows(|site| {
            site.counted.answers.iter().map(|((answer, reason), count)| (vec![("answer", *answer), ("reason", *reason)], *count)).collect()
        });
        Family::of("answers", "Documents answered, by the answer and its reason.").counters(encoder, rows)?;
        // Not `rows`: a histogram is read where it is.
        let decisions = self.0.iter().map(|(host, site)| {
            let labels: Labels = host.iter().map(|host| ("site", host.clone().into())).collect();
            (labels, &*site.counted.decisions)
        });
        Family::of("page_decision", "How long it took to decide about a page, the wait for others included.")
            .in_units(&Unit::Seconds)
            .histograms(encoder, decisions)
    }

    fn pays(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // Not `rows`: a histogram is read where it is.
        let apps = self.0.iter().flat_map(|(host, site)| {
            KINDS.into_iter().zip(&*site.counted.apps).map(move |(kind, times)| {
                let labels: Labels = host.iter().map(|host| ("site", host.clone().into())).collect();
                ([labels, vec![("answer", kind.as_token().into())]].concat(), times)
            })
        });
        Family::of("time_to_app", "From the wish for a page to its load event, as pages tell. Of plain ones those of the holdout alone.")
            .in_units(&Unit::Seconds)
            .histograms(encoder, apps)?;
        let rows = self.rows(|site| vec![(vec![], site.trials as u64)]);
        Family::of("trials", "Pages and browsers in which thin visits are compared with others.").gauges(encoder, rows)?;
        let rows = self.rows(|site| site.trials_off.iter().map(|(against, count)| (vec![("against", *against)], *count as u64)).collect());
        Family::of("trials_off", "Those in which nobody is answered thin for now, by what spoke against it.").gauges(encoder, rows)?;
        let rows = self.rows(|site| vec![(vec![("answer", "thin")], site.shadow.thin), (vec![("answer", "full")], site.shadow.full)]);
        Family::of("shadow_answers", "How visitors would have been answered in mode shadow.").counters(encoder, rows)
    }

    fn bytes(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let rows = self.rows(|site| site.counted.sent.iter().map(|(cause, bytes)| (vec![("cause", *cause)], *bytes)).collect());
        Family::of("origin", "Bytes that left the server, by cause.").in_units(&Unit::Bytes).counters(encoder, rows)?;
        let rows = self.rows(|site| vec![(vec![], site.tracker.totals.reported.from_peers)]);
        Family::of("peer", "Verified bytes that visitors took from each other, as they report it.")
            .in_units(&Unit::Bytes)
            .counters(encoder, rows)?;
        let rows = self.rows(|site| vec![(vec![], site.tracker.totals.reported.pieces_verified)]);
        Family::of("pieces_verified", "Pieces that matched their digest, as visitors report it.").counters(encoder, rows)?;
        let rows = self.rows(|site| site.line_rate.map(|rate| (vec![], rate)).into_iter().collect());
        Family::of("line_rate_bytes_per_second", "What the line of a visitor carries, as measured or set. No row where nobody knows.")
            .gauges(encoder, rows)
    }

    fn swarm(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let gauge = |count: fn(&TrackerCounts) -> usize| self.rows(move |site| vec![(vec![], count(&site.tracker) as u64)]);
        Family::of("sessions", "Sessions open at the tracker.").gauges(encoder, gauge(|counts| counts.sessions))?;
        Family::of("ready_peers", "Peers to whom one visitor more could be introduced now.")
            .gauges(encoder, gauge(|counts| counts.ready))?;
        Family::of("thin_visits", "Thin visits that are remembered.").gauges(encoder, gauge(|counts| counts.tickets))?;
        let rows = self.rows(|site| {
            Tier::ALL.map(|tier| (vec![("tier", tier.name())], site.tracker.totals.matches_by_tier.on(tier))).into_iter().collect()
        });
        Family::of("introductions", "Offers of peers given to visitors, by how near the two are.").counters(encoder, rows)?;
        let rows = self.rows(|site| vec![(vec![], site.tracker.totals.matches.answered)]);
        Family::of("introductions_answered", "Those that were answered.").counters(encoder, rows)?;
        let rows = self.rows(|site| {
            let matches = &site.tracker.totals.matches;
            vec![(vec![("result", "opened")], matches.opened), (vec![("result", "failed")], matches.failed)]
        });
        Family::of("connects", "What became of answered introductions.").counters(encoder, rows)?;
        let rows =
            self.rows(|site| site.tracker.totals.connect_failures.iter().map(|(cause, count)| (vec![("cause", *cause)], *count)).collect());
        Family::of("connect_failures", "Why introductions came to nothing, as one end says.").counters(encoder, rows)
    }

    fn faults(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let rows = self.rows(|site| vec![(vec![], site.tracker.totals.bans)]);
        Family::of("bans", "Peers dropped for forged pieces.").counters(encoder, rows)?;
        let rows =
            self.rows(|site| site.tracker.totals.faults.iter().map(|(fault, count)| (vec![("fault", fault.name())], *count)).collect());
        Family::of("faults", "What visitors report of peers that they met.").counters(encoder, rows)?;
        let rows = self.rows(|site| {
            let Refused { sessions, tickets, messages, floods, outputs } = site.tracker.totals.refused;
            let refused = [("sessions", sessions), ("visits", tickets), ("messages", messages), ("floods", floods), ("outputs", outputs)];
            refused.map(|(what, count)| (vec![("what", what)], count)).into_iter().collect()
        });
        Family::of("refused", "What the tracker refused at a limit.").counters(encoder, rows)?;
        let rows = self.rows(|site| vec![(vec![], site.counted.doctor.visits())]);
        Family::of("doctor_visits", "Visits to the doctor's page.").counters(encoder, rows)?;
        let rows = self.rows(|site| {
            let found = site.counted.doctor.found();
            found.map(|(check, effect, count)| (vec![("check", check), ("effect", effect)], count)).collect()
        });
        Family::of("doctor_findings", "What stood in the way there, of everything (bad) or of something (limited).").counters(encoder, rows)
    }
}
