//! The one model of requests, answers and streams that every dialect reads into and writes from.

use serde_json::{Number, Value};

/// A request to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The provider's name of the model.
    pub model: String,
    /// What the model is told before the conversation, in the order in which it was written.
    pub system: Vec<String>,
    /// The conversation. Neighbours have different roles.
    pub turns: Vec<Turn>,
    /// Functions that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must call one.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at a time.
    pub parallel_tools: Option<bool>,
    /// The longest answer, in tokens, what the model thinks included.
    pub max_tokens: Option<u64>,
    /// How freely it chooses its words.
    pub temperature: Option<Number>,
    /// The share of likely words that it chooses from.
    pub top_p: Option<Number>,
    /// The number of likely words that it chooses from.
    pub top_k: Option<u64>,
    /// Minus for words that have come often.
    pub frequency_penalty: Option<Number>,
    /// Minus for words that have come at all.
    pub presence_penalty: Option<Number>,
    /// For answers that can be had again.
    pub seed: Option<i64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// How long it may think.
    pub reasoning: Option<Reasoning>,
    /// The form of the answer; `None` is plain text.
    pub format: Option<Format>,
    /// How wordy the answer is.
    pub verbosity: Option<String>,
    /// Who asks, in the client's words.
    pub user: Option<String>,
    /// Whether the answer is to come in pieces.
    pub is_streamed: bool,
    /// Whether the stream of a client of chat completions is to end with what it has cost.
    pub wants_usage: bool,
}

/// Everything that one side says before the other does.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who.
    pub role: Role,
    /// What.
    pub parts: Vec<Part>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The model.
    Assistant,
    /// The client, also with what its tools have found.
    User,
}

/// A piece of what is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A file that is no picture.
    Document(Document),
    /// A picture.
    Image(Image),
    /// Words.
    Text(String),
    /// What the model thinks, and the provider's seal on it.
    Thinking {
        /// The thought, or a summary of it; may be empty.
        text: String,
        /// What the provider wants to see again with it.
        signature: Option<String>,
    },
    /// A call of a function.
    ToolCall(ToolCall),
    /// What a function has found.
    ToolResult {
        /// The id of the call.
        id: String,
        /// Words, pictures and documents.
        parts: Vec<Part>,
        /// Whether it failed.
        is_error: bool,
    },
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id.
    pub id: String,
    /// The function.
    pub name: String,
    /// The arguments, as the text of a JSON object.
    pub arguments: String,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it is.
    pub source: Source,
    /// How closely it is to be looked at: `low`, `high`, `auto`.
    pub detail: Option<String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where it is.
    pub source: Source,
    /// What it is called.
    pub name: Option<String>,
}

/// Where a picture or a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the request, as Base64.
    Inline {
        /// `image/png` and the like.
        media_type: String,
        /// Base64.
        data: String,
    },
    /// Somewhere else. The provider fetches it, never the gateway.
    Url(String),
}

impl Source {
    /// Reads an address; `data:TYPE;base64,…` is a picture in the request.
    pub fn of_url(url: &str) -> Self {
        let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
        match inline {
            Some((media_type, data)) => {
                Self::Inline { media_type: media_type.to_owned(), data: data.to_owned() }
            }
            None => Self::Url(url.to_owned()),
        }
    }

    /// The address, `data:` for what is in the request.
    pub fn to_url(&self) -> String {
        match self {
            Self::Inline { media_type, data } => format!("data:{media_type};base64,{data}"),
            Self::Url(url) => url.clone(),
        }
    }
}

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON schema of its arguments.
    pub parameters: Option<Value>,
    /// Whether arguments must keep to the schema.
    pub strict: Option<bool>,
}

/// Which function is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// This one.
    Named(String),
    /// None.
    Never,
    /// Some.
    Required,
}

/// How long a model may think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasoning {
    /// How long.
    pub depth: Depth,
    /// Whether the client wants to see it.
    pub is_shown: bool,
}

/// How long a model may think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Depth {
    /// So many tokens.
    Budget(u64),
    /// As the word says.
    Effort(String),
    /// Not at all.
    Off,
}

/// Efforts and their budgets in tokens. Source: the reference's table of thinking levels; the last is ours.
const EFFORTS: &[(&str, u64)] =
    &[("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 16_384), ("xhigh", 32_768)];

impl Depth {
    /// The tokens of it; `None` for an effort that is not known.
    pub fn budget(&self) -> Option<u64> {
        match self {
            Self::Budget(tokens) => Some(*tokens),
            Self::Effort(word) => EFFORTS.iter().find(|(known, _)| known == word).map(|(_, tokens)| *tokens),
            Self::Off => Some(0),
        }
    }

    /// The word for it, of those that every model with efforts knows.
    pub fn effort(&self) -> &str {
        match self {
            Self::Budget(tokens) if *tokens <= 2048 => "low",
            Self::Budget(tokens) if *tokens <= 8192 => "medium",
            Self::Budget(_) => "high",
            Self::Effort(word) => word,
            Self::Off => "none",
        }
    }
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Any JSON.
    Json,
    /// JSON of a schema.
    Schema {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The JSON schema.
        schema: Value,
        /// Whether the answer must keep to it.
        strict: Option<bool>,
    },
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// The provider's id of it; may be empty.
    pub id: String,
    /// The model that gave it.
    pub model: String,
    /// What it says: words, thoughts, calls.
    pub parts: Vec<Part>,
    /// Why it ends.
    pub stop: Stop,
    /// What it has cost.
    pub usage: Usage,
}

/// Why an answer ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// It is complete.
    #[default]
    End,
    /// It was cut off.
    Length,
    /// The provider holds the rest back.
    Refusal,
    /// A text that ends it has come; which one, where the provider says so.
    Sequence(Option<String>),
    /// Functions are to be called.
    ToolUse,
}

/// Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All of the prompt, what came from a cache or went into one included.
    pub input: u64,
    /// Of the prompt, what came from a cache.
    pub cached: u64,
    /// Of the prompt, what went into a cache.
    pub cache_written: u64,
    /// All of the answer, thoughts included.
    pub output: u64,
    /// Of the answer, the thoughts, where the provider says so.
    pub reasoning: Option<u64>,
}

/// A step of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It ends as it should.
    End,
    /// It ends with a failure.
    Failed(Trouble),
    /// The provider's seal on what the model thinks.
    Signature(String),
    /// It begins.
    Start {
        /// The provider's id of the answer; may be empty.
        id: String,
        /// The model that gives it.
        model: String,
    },
    /// Why the answer ends.
    Stop(Stop),
    /// More words.
    Text(String),
    /// More of what the model thinks.
    Thinking(String),
    /// More arguments of a call.
    ToolArguments {
        /// Which call of this answer, from 0.
        at: usize,
        /// A piece of the text of a JSON object.
        piece: String,
    },
    /// A call begins.
    ToolStart {
        /// Which call of this answer, from 0.
        at: usize,
        /// Its id.
        id: String,
        /// The function.
        name: String,
    },
    /// What it has cost so far.
    Usage(Usage),
}

/// A failure that a provider tells, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// The word for programs; may be empty.
    pub kind: String,
    /// The message.
    pub message: String,
}

/// Adds a turn's parts; what the same side has just said is gone on with.
pub(super) fn say(turns: &mut Vec<Turn>, role: Role, parts: Vec<Part>) {
    if parts.is_empty() {
        return;
    }
    match turns.last_mut() {
        Some(last) if last.role == role => last.parts.extend(parts),
        _ => turns.push(Turn { role, parts }),
    }
}

/// The words of some parts, as one text.
pub(super) fn words(parts: &[Part], between: &str) -> String {
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join(between)
}
