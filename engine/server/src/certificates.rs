//! Certificates for a test: an authority, and what it issues to a server and to platforms.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use suanpan_signing::Secret;

use crate::security::DistinguishedName;

/// Why a certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// A subject that cannot be written.
    #[error("the subject {0}: expected one attribute in each part, and object identifiers of numbers")]
    Subject(DistinguishedName),
    /// A time beyond the calendar.
    #[error("expected a time that the calendar knows")]
    Time,
    /// The library refuses.
    #[error("{0}")]
    Library(#[from] rcgen::Error),
}

/// A certificate with its private key, both in PEM.
#[derive(Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: Secret,
}

/// From when until when a certificate counts, in days of UTC.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    /// First day, as seconds of the Unix time in it.
    pub from_s: i64,
    /// The day at whose beginning it ends, likewise.
    pub until_s: i64,
}

/// What issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority with its certificate.
    ///
    /// # Errors
    /// A subject or a time that cannot be written.
    pub fn create(subject: &DistinguishedName, days: Days) -> Result<(Self, Issued), CertificateFault> {
        let mut params = parameters(Some(subject), days, Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let issued = Issued { certificate_pem: certificate.pem(), key_pem: Secret::new(key.serialize_pem()) };
        Ok((Self { issuer: Issuer::new(params, key) }, issued))
    }

    /// An authority that was made before.
    ///
    /// # Errors
    /// PEM that holds no authority.
    pub fn load(certificate_pem: &str, key_pem: &Secret) -> Result<Self, CertificateFault> {
        let key = KeyPair::from_pem(key_pem.reveal())?;
        Ok(Self { issuer: Issuer::from_ca_cert_pem(certificate_pem, key)? })
    }

    /// A certificate for a server with these names and addresses.
    ///
    /// # Errors
    /// Names or times that cannot be written.
    pub fn issue_server(&self, names: &[String], days: Days) -> Result<Issued, CertificateFault> {
        let mut params = parameters(None, days, names.to_vec())?;
        let name = names.first().map_or("server", String::as_str);
        params.distinguished_name.push(DnType::CommonName, name);
        self.issue(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a platform with this subject.
    ///
    /// # Errors
    /// A subject or a time that cannot be written.
    pub fn issue_client(&self, subject: &DistinguishedName, days: Days) -> Result<Issued, CertificateFault> {
        self.issue(parameters(Some(subject), days, Vec::new())?, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Issued, CertificateFault> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: Secret::new(key.serialize_pem()) })
    }
}

fn parameters(
    subject: Option<&DistinguishedName>,
    days: Days,
    names: Vec<String>,
) -> Result<CertificateParams, CertificateFault> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(subject) = subject {
        let wrong = || CertificateFault::Subject(subject.clone());
        // In a certificate the most general part stands first.
        for (oid, value) in subject.attributes().ok_or_else(wrong)?.into_iter().rev() {
            let numbers: Option<Vec<u64>> = oid.split('.').map(|number| u64::from_str(number).ok()).collect();
            params.distinguished_name.push(DnType::from_oid(&numbers.ok_or_else(wrong)?), value);
        }
    }
    let (from, until) = (day(days.from_s)?, day(days.until_s)?);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    Ok(params)
}

/// Year, month and day.
fn day(seconds: i64) -> Result<(i32, u8, u8), CertificateFault> {
    let instant = Timestamp::from_second(seconds).map_err(|_| CertificateFault::Time)?;
    let date = instant.to_zoned(TimeZone::UTC).date();
    let number = |number: i8| u8::try_from(number).map_err(|_| CertificateFault::Time);
    Ok((date.year().into(), number(date.month())?, number(date.day())?))
}
