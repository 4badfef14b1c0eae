//! Whether it pays, as statistics and the dashboard have it.

use serde::Serialize;

use super::{Against, Arm, ArmSummary, TrialSummary};
use crate::{alerts::NotWorthIt, shadow::ShadowCounts};

/// `pays` of `/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PaysSnapshot {
    trials: Vec<TrialSnapshot>,
    shadow: ShadowCounts,
}

impl PaysSnapshot {
    /// Of these trials, and of what was only counted.
    #[must_use]
    pub fn new(trials: impl IntoIterator<Item = TrialSummary>, shadow: ShadowCounts) -> Self {
        Self { trials: trials.into_iter().map(TrialSnapshot::of).collect(), shadow }
    }

    /// Where nobody is answered thin for a while.
    #[must_use]
    pub fn not_worth_it(&self) -> Vec<NotWorthIt> {
        let off = self.trials.iter().filter_map(|trial| {
            let (again_s, against) = (trial.again_s?, trial.against?);
            Some(NotWorthIt { page: trial.page.clone(), engine: trial.browser, against, again_s })
        });
        off.collect()
    }
}

/// One page in one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct TrialSnapshot {
    page: String,
    browser: &'static str,
    thin_answers: &'static str,
    /// Until they are tried again.
    again_s: Option<u64>,
    against: Option<&'static str>,
    thin: ArmSummary,
    full: ArmSummary,
    holdout: ArmSummary,
}

impl TrialSnapshot {
    fn of(trial: TrialSummary) -> Self {
        let arm = |arm: Arm| trial.arms[arm as usize];
        Self {
            browser: trial.engine.name(),
            thin_answers: trial.state,
            again_s: trial.again_ms.map(|ms| ms / 1_000),
            against: trial.against.map(Against::name),
            thin: arm(Arm::Thin),
            full: arm(Arm::Full),
            holdout: arm(Arm::Holdout),
            page: trial.page,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::Engine;

    #[test]
    fn a_trial_has_the_names_of_the_contract_and_is_told_where_it_is_off() {
        let thin = ArmSummary { visits: 30, app_ms_p50: Some(900), app_ms_p95: None, origin_bytes_p50: Some(7) };
        let arms = [thin, ArmSummary::default(), ArmSummary::default()];
        let off = TrialSummary {
            page: "/".to_owned(),
            engine: Engine::Chromium,
            state: "off",
            again_ms: Some(61_900),
            against: Some(Against::Slower),
            arms,
        };
        let on = TrialSummary { state: "on", again_ms: None, ..off.clone() };
        let pays = PaysSnapshot::new([off, on], ShadowCounts { thin: 1, full: 2 });
        let nobody = json!({ "visits": 0, "app_ms_p50": null, "app_ms_p95": null, "origin_bytes_p50": null });
        let told = serde_json::to_value(&pays).unwrap();
        assert_eq!(told["shadow"], json!({ "thin": 1, "full": 2 }));
        let expected = json!({
            "page": "/", "browser": Engine::Chromium.name(), "thin_answers": "off", "again_s": 61, "against": "slower",
            "thin": { "visits": 30, "app_ms_p50": 900, "app_ms_p95": null, "origin_bytes_p50": 7 }, "full": nobody, "holdout": nobody,
        });
        assert_eq!(told["trials"][0], expected);
        let [found] = &pays.not_worth_it()[..] else { panic!("one of both is off") };
        assert_eq!((found.page.as_str(), found.against, found.again_s), ("/", "slower", 61));
    }
}
