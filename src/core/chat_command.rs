//! Commands that a person types as a message: `/model`, `/models`, `/new`, `/reset`, `/status`.
//!
//! A command is one line and nothing else. What begins like one and cannot be understood is an error, never a text for the
//! model; everything else is text.

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `/model NAME`: this model from now on, with this profile of its provider.
    Choose(Wanted),
    /// `/model default`: the configured model again.
    Default,
    /// `/models [PROVIDER [PAGE]]`: every provider, or a page of its models.
    List(Option<(String, Page)>),
    /// `/model status`: what each provider is asked with.
    ModelStatus,
    /// `/new [NAME]` and `/reset [NAME]`: what was only remembered is forgotten.
    New(Option<Wanted>),
    /// `/model NUMBER`: that line of the short list.
    Pick(usize),
    /// `/model`, `/model list`: the short list.
    Short,
    /// `/status`: what this session is.
    Status,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Which one, from 1.
    pub number: usize,
    /// How many lines it has.
    pub size: usize,
}

/// Lines of a page when nothing says otherwise, and at most (reference limits).
const PAGE: usize = 20;
const LONGEST_PAGE: usize = 100;

/// A model as it was typed. Both ids may hold an `@`, so only who knows the models can take the two apart, unless the
/// profile is in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Everything before the quoted profile, or everything.
    pub text: String,
    /// A profile in quotes.
    pub quoted: Option<String>,
}

impl Wanted {
    /// Every way to read it, the whole as a model first: model and profile.
    pub fn readings(&self) -> Vec<(&str, Option<&str>)> {
        if let Some(profile) = &self.quoted {
            return vec![(&self.text, Some(profile))];
        }
        let split =
            self.text.match_indices('@').map(|(at, _)| (&self.text[..at], Some(&self.text[at + 1..])));
        std::iter::once((self.text.as_str(), None)).chain(split).collect()
    }
}

/// Every command and what it does, for people.
pub const HELP: &[(&str, &str)] = &[
    ("/model", "the current model and a short numbered list (`/model list` is the same)"),
    ("/model NUMBER", "take that line of the short list"),
    ("/model NAME", "take a model: an alias, `provider/model`, or a part of its name"),
    (
        "/model NAME@PROFILE",
        "take a model and pin a profile; in quotes when it has spaces: `NAME@\"my profile\"`",
    ),
    ("/model default", "take the configured model again and let go of the profile"),
    ("/model status", "for each provider: where it is asked, with which profiles, which is next"),
    ("/models [PROVIDER [PAGE]]", "every provider, or the models of one; `size=N` lines a page, or `all`"),
    ("/new [NAME]", "begin anew: what was only remembered goes, what you chose stays (`/reset` is the same)"),
    ("/status", "this session: its model, its profile, what is next"),
];

const WORDS: &[&str] = &["model", "models", "new", "reset", "status"];

/// Reads a message. `None` is a text for the model, an error a command that cannot be understood. A configured alias is a
/// command of its own: `/opus`.
pub fn parse(message: &str, is_alias: impl Fn(&str) -> bool) -> Option<Result<Command, String>> {
    let line = message.trim();
    let rest = line.strip_prefix('/').filter(|rest| !rest.contains(['\n', '\r']))?;
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let word = rest[..end].to_ascii_lowercase();
    let behind = &rest[end..];
    // `/model/x` is a path, `/modelling` a word; `/model@x` wants to be a command.
    let is_ended =
        behind.is_empty() || behind.starts_with([':', '@']) || behind.starts_with(char::is_whitespace);
    if !is_ended || !WORDS.contains(&word.as_str()) {
        let is_one_word = !rest.is_empty() && !rest.contains(char::is_whitespace);
        let name = rest.split('@').next().filter(|name| is_one_word && is_alias(name))?;
        return Some(wanted(rest).map(Command::Choose).map_err(|why| told(&why, name)));
    }
    let arguments = behind.strip_prefix(':').unwrap_or(behind).trim();
    Some(understood(&word, arguments).map_err(|why| told(&why, &word)))
}

fn told(why: &str, word: &str) -> String {
    format!("/{word}: {why}. Nothing was changed, and nothing was sent to a model.")
}

fn understood(word: &str, arguments: &str) -> Result<Command, String> {
    match (word, arguments.to_ascii_lowercase().as_str()) {
        ("model", "" | "list") => Ok(Command::Short),
        ("model", "status") => Ok(Command::ModelStatus),
        ("model", "default") => Ok(Command::Default),
        ("model", number) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            // A number that no list reaches is as wrong as any other.
            Ok(Command::Pick(number.parse().unwrap_or(usize::MAX)))
        }
        ("model", _) => wanted(arguments).map(Command::Choose),
        ("models", _) => list(arguments),
        ("status", "") => Ok(Command::Status),
        ("status", _) => Err("takes nothing behind it".to_owned()),
        (_, "") => Ok(Command::New(None)),
        _ => wanted(arguments).map(|wanted| Command::New(Some(wanted))),
    }
}

fn list(arguments: &str) -> Result<Command, String> {
    let mut words = arguments.split_whitespace();
    let Some(provider) = words.next() else { return Ok(Command::List(None)) };
    let mut page = Page { number: 1, size: PAGE };
    for word in words {
        let (name, number) = word.split_once('=').unwrap_or(("page", word));
        match (name.to_ascii_lowercase().as_str(), number.parse::<usize>().ok().filter(|number| *number > 0))
        {
            ("page", Some(number)) => page.number = number,
            ("limit" | "size", Some(size)) => page.size = size.min(LONGEST_PAGE),
            ("page", None) if number.eq_ignore_ascii_case("all") => page.size = usize::MAX,
            _ => return Err(format!("\"{}\" is no page; write a number from 1, size=N or all", short(word))),
        }
    }
    Ok(Command::List(Some((provider.to_owned(), page))))
}

fn wanted(arguments: &str) -> Result<Wanted, String> {
    if let Some((text, quoted)) = arguments.split_once('"') {
        let profile = quoted.strip_suffix('"').map(str::trim).filter(|profile| !profile.contains('"'));
        let model = text.strip_suffix('@').filter(|model| !model.contains(char::is_whitespace));
        return match (model, profile) {
            (Some(""), Some(_)) => Err(NO_MODEL.to_owned()),
            (Some(model), Some(profile)) if !profile.is_empty() => {
                Ok(Wanted { text: model.to_owned(), quoted: Some(profile.to_owned()) })
            }
            _ => Err("quotes go around a profile, directly behind the @: NAME@\"my profile\"".to_owned()),
        };
    }
    let is_only_profile = |text: &str| {
        let model = text.split('@').next().unwrap_or_default().to_ascii_lowercase();
        text.contains('@') && ["", "default", "list", "status"].contains(&model.as_str())
    };
    if is_only_profile(arguments) {
        return Err(NO_MODEL.to_owned());
    }
    match arguments.split_whitespace().collect::<Vec<_>>().as_slice() {
        [one] if one.ends_with('@') => Err("the profile behind the @ is missing".to_owned()),
        [one] => Ok(Wanted { text: (*one).to_owned(), quoted: None }),
        [_, second, ..] if second.starts_with('@') => {
            Err("there is no space before the @: NAME@PROFILE".to_owned())
        }
        [first, ..] if first.contains('@') => {
            Err("a profile with spaces goes in quotes: NAME@\"my profile\"".to_owned())
        }
        _ => Err(
            "takes one name without spaces; a text that begins like this is sent to a model when something \
                  stands before it, or with the header `x-openclaw-commands: off`"
                .to_owned(),
        ),
    }
}

/// The reference's words.
const NO_MODEL: &str = "Auth profile override requires a model selection; write NAME@PROFILE";

/// Text of a person for an answer: cut, and without anything that steers a terminal.
pub fn short(text: &str) -> String {
    let shown = crate::core::printable::printable(text);
    if shown.chars().count() <= 80 {
        return shown;
    }
    shown.chars().take(79).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Command, HELP, Page, WORDS, Wanted, parse};

    fn read(message: &str) -> Option<Result<Command, String>> {
        parse(message, |name| name.eq_ignore_ascii_case("Sonny"))
    }

    fn choose(text: &str, quoted: Option<&str>) -> Command {
        Command::Choose(Wanted { text: text.to_owned(), quoted: quoted.map(str::to_owned) })
    }

    fn page(number: usize, size: usize) -> Command {
        Command::List(Some(("openai".to_owned(), Page { number, size })))
    }

    #[test]
    fn commands_are_understood_in_every_spelling() {
        for (message, command) in [
            ("/model", Command::Short),
            (" /MODEL: List \n", Command::Short),
            ("/model status", Command::ModelStatus),
            ("/model default", Command::Default),
            ("/model 3", Command::Pick(3)),
            ("/model 99999999999999999999999", Command::Pick(usize::MAX)),
            ("/model openai/gpt-5.2", choose("openai/gpt-5.2", None)),
            ("/model:x@anthropic:me+x@example.com", choose("x@anthropic:me+x@example.com", None)),
            ("/model x@\"has space\"", choose("x", Some("has space"))),
            ("/model a/b@1@\"p@q\"", choose("a/b@1", Some("p@q"))),
            ("/sonny", choose("sonny", None)),
            ("/Sonny@anthropic:a", choose("Sonny@anthropic:a", None)),
            ("/models", Command::List(None)),
            ("/models openai", page(1, 20)),
            ("/models openai 2", page(2, 20)),
            ("/models openai limit=3 page=2", page(2, 3)),
            ("/models openai size=999", page(1, 100)),
            ("/models openai all", page(1, usize::MAX)),
            ("/new", Command::New(None)),
            ("/reset", Command::New(None)),
            ("/new sonny", Command::New(Some(Wanted { text: "sonny".to_owned(), quoted: None }))),
            ("/status", Command::Status),
        ] {
            assert_eq!(read(message), Some(Ok(command)), "{message}");
        }
    }

    #[test]
    fn a_malformed_command_is_an_error_and_no_text() {
        for (message, why) in [
            ("/model @p", "requires a model selection"),
            ("/model@p", "requires a model selection"),
            ("/model status@p", "requires a model selection"),
            ("/model list@p", "requires a model selection"),
            ("/model @\"p q\"", "requires a model selection"),
            ("/model x @p", "no space before the @"),
            ("/model x@", "is missing"),
            ("/model x@has space", "in quotes"),
            ("/model x@\"open", "directly behind the @"),
            ("/model \"x\"", "directly behind the @"),
            ("/model x@\"\"", "directly behind the @"),
            ("/model Opus 4.5", "one name without spaces"),
            ("/models openai x", "is no page"),
            ("/models openai 0", "is no page"),
            ("/models a lines=3", "is no page"),
            ("/status now", "takes nothing"),
            ("/new tell me a story", "one name without spaces"),
            ("/sonny@", "is missing"),
        ] {
            let told = read(message).unwrap_or_else(|| panic!("{message} is text")).unwrap_err();
            assert!(told.contains(why) && told.contains("nothing was sent"), "{message}: {told}");
        }
    }

    #[test]
    fn text_is_text() {
        for message in [
            "",
            "/",
            "//model",
            "/ model",
            "hello /model x",
            "/modelling is fun",
            "/model/of/a/car",
            "/model-x",
            "/model\nsecond line",
            "/usr/bin/env",
            "/help",
            "/sonny tell me",
            "[x] /model y",
            "Note: /model x",
            "\u{ff0f}model",
        ] {
            assert_eq!(read(message), None, "{message}");
        }
    }

    #[test]
    fn both_ids_may_hold_an_at() {
        let wanted = Wanted { text: "a/b@1@p".to_owned(), quoted: None };
        assert_eq!(wanted.readings(), [("a/b@1@p", None), ("a/b", Some("1@p")), ("a/b@1", Some("p"))]);
    }

    #[test]
    fn the_help_names_every_word() {
        for word in WORDS {
            assert!(HELP.iter().any(|(form, text)| format!("{form} {text}").contains(&format!("/{word}"))));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 1_000 } else { 50_000 }, ..ProptestConfig::default() })]

        #[test]
        fn no_message_is_too_odd(message in "\\PC{0,40}", tail in "(/model|/new|/status|/models)?[ :@\"a-z0-9/\u{1b}\n]{0,20}") {
            for message in [message.clone(), format!("/{message}"), tail, format!("/model {message}")] {
                if let Some(Ok(Command::Choose(wanted) | Command::New(Some(wanted)))) = read(&message) {
                    prop_assert!(!wanted.readings().is_empty());
                }
            }
        }

        #[test]
        fn only_one_line_that_begins_with_a_command_is_one(message in "\\PC{0,20}[\n]?\\PC{0,20}") {
            let line = message.trim();
            let is_command = read(&message).is_some();
            let word = line.strip_prefix('/').map(|rest| {
                rest.split(|c: char| c.is_whitespace() || c == ':' || c == '@').next().unwrap_or_default().to_lowercase()
            });
            let could_be = !line.contains('\n')
                && word.is_some_and(|word| WORDS.contains(&word.as_str()) || word == "sonny");
            prop_assert!(!is_command || could_be, "{:?}", message);
        }

        #[test]
        fn what_begins_with_a_command_never_reaches_a_model(word in prop::sample::select(WORDS), rest in "[^\r\n]{0,30}") {
            let message = format!("/{word} {rest}");
            prop_assert!(read(&message).is_some(), "{message:?}");
        }
    }
}
