//! What a doctor asks: nothing that counts as a visit.

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use url::Url;
use viral_swarm::doctor::DoctorView;

use super::{Origin, OriginError};
use crate::limits::DOCTOR_VIEW_LEN_MAX;

impl Origin {
    /// Looks at a page: nobody is introduced. Its path, the status, and whether the server is one of ours; redirects as for a visit.
    pub(crate) async fn look(&mut self, url: &Url, allow_other: bool) -> Result<(String, StatusCode, bool), OriginError> {
        let (url, answer) = self.go_to(Method::HEAD, url, allow_other).await?;
        self.note_below(url.path(), answer.headers());
        Ok((url.path().to_owned(), answer.status(), answer.headers().contains_key("viral-answer")))
    }

    /// How the server sees this machine, and would answer a browser that comes to `page`.
    pub(crate) async fn doctor_view(&self, page: &str) -> Result<DoctorView, OriginError> {
        let url = self.url(&format!("/.viral/doctor.json?page={page}"));
        // A browser, not a native peer: the answer is about browsers.
        let request =
            Request::builder().method(Method::GET).uri(url.as_str()).header("sec-fetch-dest", "empty").header("sec-fetch-mode", "cors");
        let request = request.header("sec-fetch-site", "same-origin").body(Full::default());
        let answer = self.successful("/.viral/doctor.json", self.send(request).await?)?;
        let json = self.body(answer, DOCTOR_VIEW_LEN_MAX).await?;
        serde_json::from_slice(&json).map_err(|error| self.malformed(&error.to_string()))
    }
}
