//! What the file of a vendor's program says about its login.

use crate::core::credential::Material;
use crate::core::snapshot::LoginFacts;

/// A login as found in a vendor's file or keychain item.
#[derive(Clone, Debug, PartialEq)]
pub enum VendorLogin {
    /// Nobody is logged in.
    None,
    /// There is a login, and what makes it usable is missing; says what.
    Incomplete(&'static str),
    /// A usable login.
    Present {
        /// The tokens.
        material: Material,
        /// What else the file tells.
        facts: LoginFacts,
    },
}
