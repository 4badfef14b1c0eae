//! What the log says of visits.

use std::sync::{Arc, Mutex};

use crate::testing::{SITE, seeder, text, viral, visit};

/// What is logged at debug level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_visit_is_logged_with_its_answer_and_never_with_its_whole_ticket() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone()).finish();
    let listening = tracing::subscriber::set_default(subscriber);
    let viral = viral(&SITE, |_| ()).await;
    let (_, _outgoing) = seeder(&viral, "/");
    let page = text(visit(&viral, "/?secret=1", &[]).await).await;
    visit(&viral, "/none", &[]).await;
    drop(listening);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let (_, ticket) = page.split_once("\"ticket\":\"").unwrap();
    let ticket = &ticket[..32];
    let visited = format!("visit{{page=\"/\" ticket={} answer=\"thin\" reason=\"peer-near\"}}: ", &ticket[..8]);
    assert!(log.contains(&visited), "{log}");
    assert!(log.contains("visit{page=\"/none\" answer=\"plain\" reason=\"not-found\"}: "), "{log}");
    assert!(!log.contains(ticket) && !log.contains("secret"), "{log}");
}
