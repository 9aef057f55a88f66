//! Entries of the config that name a profile which the store does not have.

/// An entry of `auth.profiles` that should have another id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The id in the config.
    pub from: String,
    /// The id in the store.
    pub to: String,
    /// The e-mail address that the store knows and the config does not.
    pub email: Option<String>,
}

/// A login in the store.
#[derive(Clone, Debug)]
pub struct StoredLogin {
    /// The profile id.
    pub id: String,
    /// Its e-mail address.
    pub email: Option<String>,
}

/// Finds the stored login that `<provider>:default` of the config must mean. Rules of the reference: the one with the same
/// e-mail address, else the one that last worked, else the only one, else the only one whose id ends in an address.
pub fn of_default(
    provider: &str,
    configured_email: Option<&str>,
    logins: &[StoredLogin],
    last_good: Option<&str>,
) -> Option<Repair> {
    let from = format!("{provider}:default");
    if logins.iter().any(|login| login.id == from) {
        return None;
    }
    let same = |a: Option<&str>, b: Option<&str>| match (a, b) {
        (Some(a), Some(b)) => a.trim().eq_ignore_ascii_case(b.trim()),
        _ => false,
    };
    let only = |found: Vec<&'_ StoredLogin>| match found[..] {
        [login] => Some(login.id.clone()),
        _ => None,
    };
    let by_email = logins.iter().find(|login| same(login.email.as_deref(), configured_email));
    let by_use = || logins.iter().find(|login| Some(login.id.as_str()) == last_good);
    let found = by_email.or_else(by_use).map(|login| login.id.clone());
    let to = found.or_else(|| only(logins.iter().collect())).or_else(|| {
        let has_address = |login: &&StoredLogin| {
            login.id.split_once(':').is_some_and(|(_, name)| name.contains('@') && name.contains('.'))
        };
        only(logins.iter().filter(has_address).collect())
    })?;
    let stored = logins.iter().find(|login| login.id == to)?;
    let email = stored.email.clone().filter(|_| configured_email.is_none());
    Some(Repair { from, to, email })
}

#[cfg(test)]
mod tests {
    use super::{StoredLogin, of_default};

    fn login(id: &str, email: Option<&str>) -> StoredLogin {
        StoredLogin { id: id.to_owned(), email: email.map(str::to_owned) }
    }

    #[test]
    fn the_login_that_is_meant_is_found_or_nothing_is_said() {
        let (me, you) = (login("anthropic:me@x.com", Some("Me@x.com")), login("anthropic:you@x.com", None));
        let plain = login("anthropic:work", None);
        for (email, logins, last_good, expected) in [
            (Some("me@X.com"), vec![you.clone(), me.clone()], None, Some("anthropic:me@x.com")),
            (None, vec![you.clone(), me.clone()], Some("anthropic:you@x.com"), Some("anthropic:you@x.com")),
            (None, vec![plain.clone()], None, Some("anthropic:work")),
            (None, vec![plain.clone(), me.clone()], None, Some("anthropic:me@x.com")),
            (None, vec![you.clone(), me.clone()], None, None),
            (None, vec![], None, None),
            (None, vec![me.clone(), login("anthropic:default", None)], None, None),
        ] {
            let found = of_default("anthropic", email, &logins, last_good);
            assert_eq!(found.map(|repair| repair.to).as_deref(), expected, "{email:?} {logins:?}");
        }
        let taken = of_default("anthropic", None, std::slice::from_ref(&me), None).unwrap();
        assert_eq!((taken.from.as_str(), taken.email.as_deref()), ("anthropic:default", Some("Me@x.com")));
    }
}
