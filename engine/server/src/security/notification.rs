//! Signing what malls are told: with the secret that they share with the engine, else with the engine's own key.

use suanpan_model::PlatformId;
use suanpan_signing::{header, notification_message};

use super::Security;
use crate::config::SecurityMode;
use crate::notify::Signer;

impl Signer for Security {
    fn headers(
        &self,
        platform: PlatformId,
        id: &str,
        at_s: u64,
        body: &[u8],
    ) -> Result<Vec<(&'static str, String)>, String> {
        let message = notification_message(id, at_s, body);
        let keys = self.keys.load();
        let shared = keys.shared_with(platform, at_s).and_then(|entry| {
            let signature = entry.verifying.sign_with_secret(&message)?;
            Some((entry.id.to_string(), signature))
        });
        let signed = match (shared, &self.engine_key) {
            (Some(signed), _) => Some(signed),
            (None, Some(engine)) => {
                let signature = engine.key.sign(&message).map_err(|fault| fault.to_string())?;
                Some((engine.id.to_string(), signature))
            }
            (None, None) => None,
        };
        let mut headers =
            vec![(header::NOTIFICATION_ID, id.to_owned()), (header::TIMESTAMP, at_s.to_string())];
        match signed {
            Some((key_id, signature)) => {
                headers.extend([(header::KEY_ID, key_id), (header::SIGNATURE, signature)]);
            }
            // In development nobody has keys, and nobody checks.
            None if self.mode == SecurityMode::Development => {}
            None => return Err("there is no key to sign with: name security.engine_key_file".to_owned()),
        }
        Ok(headers)
    }
}
