//! Why a source could not be read, as one of a few words that are safe to count by.

use crate::core::snapshot::SourceProblem;

/// The classes of read errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadError {
    /// Its content is not what it should be.
    Invalid,
    /// The system failed.
    Io,
    /// It is a folder, a device or a link to nowhere.
    NotAFile,
    /// This user may not.
    Permission,
    /// It took too long.
    Timeout,
    /// It is too large.
    TooLarge,
}

impl ReadError {
    /// Every class.
    pub const ALL: &'static [Self] =
        &[Self::Invalid, Self::Io, Self::NotAFile, Self::Permission, Self::Timeout, Self::TooLarge];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Io => "io",
            Self::NotAFile => "not_a_file",
            Self::Permission => "permission",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
        }
    }

    /// The class of a problem.
    pub fn of(problem: &SourceProblem) -> Self {
        let message = problem.message.as_str();
        let begins = |words: &[&str]| words.iter().any(|word| message.starts_with(word));
        if problem.position.is_some() {
            Self::Invalid
        } else if begins(&["permission denied"]) {
            Self::Permission
        } else if message.contains("in time") {
            Self::Timeout
        } else if begins(&["is larger than"]) {
            Self::TooLarge
        } else if begins(&["is a directory", "is not a regular file", "is a symbolic link"]) {
            Self::NotAFile
        } else if message.contains("(os error") || begins(&["a part of its path", "the file system"]) {
            Self::Io
        } else {
            Self::Invalid
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReadError;
    use crate::core::snapshot::SourceProblem;

    #[test]
    fn the_words_of_the_readers_have_a_class() {
        for (message, expected) in [
            ("permission denied", ReadError::Permission),
            ("could not be read in time", ReadError::Timeout),
            ("could not be listed in time", ReadError::Timeout),
            ("is larger than 64 MiB", ReadError::TooLarge),
            ("is a directory", ReadError::NotAFile),
            ("is not a regular file", ReadError::NotAFile),
            ("is a symbolic link to a file that does not exist", ReadError::NotAFile),
            ("input/output error (os error 5)", ReadError::Io),
            ("is not a JSON object; an interrupted write left its old content in /x", ReadError::Invalid),
        ] {
            let problem = SourceProblem { message: message.to_owned(), position: None };
            assert_eq!(ReadError::of(&problem), expected, "{message}");
        }
        let torn = SourceProblem { message: "permission denied".to_owned(), position: Some((1, 2)) };
        assert_eq!(ReadError::of(&torn), ReadError::Invalid);
        let mut words: Vec<_> = ReadError::ALL.iter().map(|class| class.word()).collect();
        words.dedup();
        assert_eq!(words.len(), ReadError::ALL.len());
    }
}
