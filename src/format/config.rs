//! `openclaw.json` and `ops.json` as a tree: JSON5 with the origin of each value, `$include`, `${VAR}`.

use jsonc_parser::ast;
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

use crate::format::{ParseFailure, position, utf8};

/// How many files deep an include may lead (reference limit).
pub const MAX_INCLUDE_DEPTH: usize = 10;

/// A value and where it stands.
#[derive(Clone)]
pub struct Node {
    /// The value.
    pub value: Tree,
    /// Where it stands.
    pub origin: Origin,
}

/// A JSON5 value. There is no `Debug`: texts may be secrets.
#[derive(Clone)]
pub enum Tree {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Node>),
    /// An object; of duplicate keys the last one counts.
    Table(Vec<(String, Node)>),
}

/// A place in one of the files that make up a config.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Index of the file, in the order of loading.
    pub file: usize,
    /// Byte offset in it.
    pub offset: usize,
}

/// One thing that makes a config invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key path, `auth.profiles.a:b.mode`; empty for the whole file.
    pub path: String,
    /// What is wrong, without any value.
    pub message: String,
    /// Where.
    pub origin: Origin,
}

impl Tree {
    /// The type in the words of the messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Table(_) => "object",
        }
    }
}

impl Node {
    /// The value at a key path.
    pub fn at(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| match &node.value {
            Tree::Table(members) => members.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        })
    }

    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Tree::Null => Value::Null,
            Tree::Flag(flag) => Value::Bool(*flag),
            Tree::Number(number) => Value::from(*number),
            Tree::Text(text) => Value::from(text.as_str()),
            Tree::List(items) => items.iter().map(Self::to_json).collect(),
            Tree::Table(members) => {
                members.iter().map(|(key, node)| (key.clone(), node.to_json())).collect::<Map<_, _>>().into()
            }
        }
    }
}

/// Reads one file as JSON5.
pub fn parse(bytes: &[u8], file: usize) -> Result<Node, ParseFailure> {
    let text = utf8(bytes)?;
    // JSON5 counts a byte order mark as white space; the parser wants it gone, positions stay right on line 1.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed =
        parse_to_ast(text, &CollectOptions::default(), &json5()).map_err(|error| failure(text, &error))?;
    parsed.value.map_or_else(|| Err(ParseFailure::at("is empty", (1, 1))), |value| Ok(node(value, file)))
}

/// What the parser must not forgive.
pub(super) fn json5() -> ParseOptions {
    ParseOptions { allow_missing_commas: false, ..ParseOptions::default() }
}

/// The parser's error in our words: its sentence quotes no content but single characters.
pub(super) fn failure(text: &str, error: &ParseError) -> ParseFailure {
    ParseFailure::at(error.kind().to_string().to_lowercase(), position(text, error.range().start))
}

fn node(value: ast::Value<'_>, file: usize) -> Node {
    use jsonc_parser::common::Ranged;
    let origin = Origin { file, offset: value.range().start };
    let value = match value {
        ast::Value::StringLit(text) => Tree::Text(text.value.into_owned()),
        ast::Value::NumberLit(number) => Tree::Number(number_of(number.value)),
        ast::Value::BooleanLit(flag) => Tree::Flag(flag.value),
        ast::Value::NullKeyword(_) => Tree::Null,
        ast::Value::Array(array) => {
            Tree::List(array.elements.into_iter().map(|element| node(element, file)).collect())
        }
        ast::Value::Object(object) => {
            let mut members: Vec<(String, Node)> = Vec::with_capacity(object.properties.len());
            for property in object.properties {
                set(&mut members, property.name.into_string(), node(property.value, file));
            }
            Tree::Table(members)
        }
    };
    Node { value, origin }
}

fn number_of(text: &str) -> f64 {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    #[expect(clippy::cast_precision_loss, reason = "JSON5 numbers are doubles")]
    let value = match hexadecimal {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).map_or(f64::NAN, |value| value as f64),
        None => digits.parse().unwrap_or(f64::NAN),
    };
    sign * value
}

fn set(members: &mut Vec<(String, Node)>, key: String, value: Node) {
    match members.iter_mut().find(|(name, _)| *name == key) {
        Some((_, old)) => *old = value,
        None => members.push((key, value)),
    }
}

/// `over` merged over `base`: objects member by member, arrays joined, of anything else `over` counts.
pub fn merge(base: Node, over: Node) -> Node {
    let origin = over.origin;
    let value = match (base.value, over.value) {
        (Tree::Table(mut members), Tree::Table(added)) => {
            for (key, value) in added {
                let old = members.iter().position(|(name, _)| *name == key);
                match old.map(|at| members.remove(at)) {
                    Some((_, old)) => members.push((key, merge(old, value))),
                    None => members.push((key, value)),
                }
            }
            Tree::Table(members)
        }
        (Tree::List(mut items), Tree::List(added)) => {
            items.extend(added);
            Tree::List(items)
        }
        (_, over) => over,
    };
    Node { value, origin }
}

/// Replaces every `$include` by what `load` gives for the name written there.
///
/// Keys beside an `$include` are merged over the included content.
pub fn resolve_includes(
    node: Node,
    load: &mut dyn FnMut(&str, Origin) -> Result<Node, Problem>,
) -> Result<Node, Problem> {
    let origin = node.origin;
    match node.value {
        Tree::List(items) => {
            let items: Result<Vec<_>, _> =
                items.into_iter().map(|item| resolve_includes(item, load)).collect();
            Ok(Node { value: Tree::List(items?), origin })
        }
        Tree::Table(members) => {
            let mut included: Option<Node> = None;
            let mut beside = Vec::new();
            for (key, value) in members {
                if key == "$include" {
                    included = Some(include(&value, load)?);
                } else {
                    beside.push((key, resolve_includes(value, load)?));
                }
            }
            let beside_is_empty = beside.is_empty();
            let own = Node { value: Tree::Table(beside), origin };
            match included {
                None => Ok(own),
                Some(included) if beside_is_empty => Ok(included),
                Some(included) if matches!(included.value, Tree::Table(_)) => Ok(merge(included, own)),
                Some(_) => Err(Problem {
                    path: "$include".to_owned(),
                    message: "keys beside $include need an included file that holds an object".to_owned(),
                    origin,
                }),
            }
        }
        value => Ok(Node { value, origin }),
    }
}

fn include(
    value: &Node,
    load: &mut dyn FnMut(&str, Origin) -> Result<Node, Problem>,
) -> Result<Node, Problem> {
    let wrong = |found: &Node| Problem {
        path: "$include".to_owned(),
        message: format!(
            "Invalid $include value: expected string or array of strings, got {}",
            found.value.type_name()
        ),
        origin: found.origin,
    };
    match &value.value {
        Tree::Text(name) => load(name, value.origin),
        Tree::List(names) => {
            let mut merged = Node { value: Tree::Table(Vec::new()), origin: value.origin };
            for (position, name) in names.iter().enumerate() {
                let Tree::Text(text) = &name.value else { return Err(wrong(name)) };
                let loaded = load(text, name.origin)?;
                merged = if position == 0 { loaded } else { merge(merged, loaded) };
            }
            Ok(merged)
        }
        _ => Err(wrong(value)),
    }
}

/// The names that `${NAME}` uses in any text of the tree.
pub fn variables(node: &Node) -> Vec<String> {
    let mut names = Vec::new();
    visit_texts(node, &mut |text| {
        for piece in pieces(text) {
            if let Piece::Variable(name) = piece
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
    });
    names
}

fn visit_texts(node: &Node, visit: &mut dyn FnMut(&str)) {
    match &node.value {
        Tree::Text(text) => visit(text),
        Tree::List(items) => items.iter().for_each(|item| visit_texts(item, visit)),
        Tree::Table(members) => members.iter().for_each(|(_, value)| visit_texts(value, visit)),
        Tree::Null | Tree::Flag(_) | Tree::Number(_) => {}
    }
}

/// Replaces `${NAME}` in every text, and `$${NAME}` by the literal `${NAME}`. Unset and empty variables are problems.
pub fn substitute(
    node: &mut Node,
    path: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) {
    let origin = node.origin;
    match &mut node.value {
        Tree::Text(text) if text.contains("${") => {
            let mut result = String::with_capacity(text.len());
            for piece in pieces(text) {
                match piece {
                    Piece::Literal(literal) => result.push_str(literal),
                    Piece::Variable(name) => match lookup(name).filter(|value| !value.is_empty()) {
                        Some(value) => result.push_str(&value),
                        None => problems.push(Problem {
                            path: path.to_owned(),
                            message: format!("Missing env var \"{name}\" referenced at config path: {path}"),
                            origin,
                        }),
                    },
                }
            }
            *text = result;
        }
        Tree::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                substitute(item, &format!("{path}[{index}]"), lookup, problems);
            }
        }
        Tree::Table(members) => {
            for (key, value) in members {
                substitute(value, &join(path, key), lookup, problems);
            }
        }
        Tree::Text(_) | Tree::Null | Tree::Flag(_) | Tree::Number(_) => {}
    }
}

/// A key path with one more key.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

enum Piece<'t> {
    Literal(&'t str),
    Variable(&'t str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut literal_start, mut at) = (0, 0);
    while let Some(found) = text[at..].find("${") {
        let open = at + found;
        let Some((name, end)) = variable_name(text, open + 2) else {
            at = open + 2;
            continue;
        };
        let escaped = text[..open].ends_with('$') && open > literal_start;
        if escaped {
            pieces.push(Piece::Literal(&text[literal_start..open - 1]));
            pieces.push(Piece::Literal(&text[open..end]));
        } else {
            pieces.push(Piece::Literal(&text[literal_start..open]));
            pieces.push(Piece::Variable(name));
        }
        (literal_start, at) = (end, end);
    }
    pieces.push(Piece::Literal(&text[literal_start..]));
    pieces
}

/// The name that starts at `start` and is closed by a brace, with the offset behind the brace.
fn variable_name(text: &str, start: usize) -> Option<(&str, usize)> {
    let close = start + text[start..].find('}')?;
    let name = &text[start..close];
    let mut letters = name.bytes();
    let first = letters.next().is_some_and(|b| b.is_ascii_uppercase() || b == b'_');
    let rest = letters.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    (first && rest).then_some((name, close + 1))
}

#[cfg(test)]
mod tests {
    use super::{Node, Tree, merge, parse, substitute, variables};

    fn tree(text: &str) -> Node {
        parse(text.as_bytes(), 0).unwrap()
    }

    fn shown(node: &Node) -> String {
        match &node.value {
            Tree::Null => "null".to_owned(),
            Tree::Flag(flag) => flag.to_string(),
            Tree::Number(number) => number.to_string(),
            Tree::Text(text) => format!("'{text}'"),
            Tree::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
            Tree::Table(members) => {
                let members: Vec<_> =
                    members.iter().map(|(key, value)| format!("{key}:{}", shown(value))).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    #[test]
    fn json5_is_understood_whole() {
        let text = "\u{feff}// c\n{ a: 'x\\x41', \"b\": [+1, .5, 0x10, -Infinity,], /* d */ c: null, a: 2 }";
        assert_eq!(shown(&tree(text)), "{a:2,b:[1,0.5,16,-inf],c:null}");
        assert_eq!(shown(&tree("{a:'x\\x41\\\n y'}")), "{a:'xA y'}");
    }

    #[test]
    fn what_does_not_parse_says_where() {
        for (text, position) in [("", (1, 1)), ("{a:1 b:2}", (1, 5)), ("{\n  a: [1,,2]\n}", (2, 9))] {
            assert_eq!(parse(text.as_bytes(), 0).err().unwrap().position, Some(position), "{text:?}");
        }
        assert!(parse("[".repeat(200_000).as_bytes(), 0).is_err());
    }

    #[test]
    fn objects_merge_arrays_join_scalars_are_replaced() {
        let merged = merge(tree("{a:{x:1,y:2},l:[1],s:1}"), tree("{a:{y:3},l:[2],s:'t',n:0}"));
        assert_eq!(shown(&merged), "{a:{x:1,y:3},l:[1,2],s:'t',n:0}");
    }

    #[test]
    fn variables_are_replaced_and_escapes_are_not() {
        let mut node = tree("{a:['$${A}x${lower}$A-${A}${A}', '${B-C}', '${A']}");
        let mut problems = Vec::new();
        assert_eq!(variables(&node), ["A"]);
        substitute(&mut node, "", &|name| (name == "A").then(|| "1".to_owned()), &mut problems);
        assert_eq!(shown(&node), "{a:['${A}x${lower}$A-11','${B-C}','${A']}");
        assert!(problems.is_empty());

        let mut node = tree("{p:{k:['${NOPE}']}}");
        substitute(&mut node, "", &|_| Some(String::new()), &mut problems);
        assert_eq!(problems[0].message, "Missing env var \"NOPE\" referenced at config path: p.k[0]");
    }
}
