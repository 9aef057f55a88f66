//! What providers answer when they are asked how much is left.

use chrono::DateTime;
use serde_json::Value;

use crate::core::credential::EpochMs;
use crate::core::span;
use crate::core::usage::Window;

/// The windows in an answer; `None` when it is not one of this provider.
pub fn windows(provider: &str, answer: &str) -> Option<Vec<Window>> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let windows = match provider {
        "anthropic" => anthropic(&answer),
        "github-copilot" => copilot(&answer)?,
        "google-gemini-cli" => gemini(&answer)?,
        "minimax" => minimax(&answer)?,
        "openai-codex" => codex(&answer)?,
        "zai" => zai(&answer)?,
        _ => return None,
    };
    Some(windows).filter(|windows| !windows.is_empty())
}

fn anthropic(answer: &Value) -> Vec<Window> {
    [("five_hour", "5h"), ("seven_day", "Week"), ("seven_day_sonnet", "Sonnet"), ("seven_day_opus", "Opus")]
        .into_iter()
        .filter_map(|(member, label)| {
            let window = answer.get(member)?;
            Some(Window::new(label, number(window.get("utilization")?)?, instant(window.get("resets_at"))))
        })
        .collect()
}

fn codex(answer: &Value) -> Option<Vec<Window>> {
    let limit = answer.get("rate_limit")?;
    let window = |member: &str| {
        let window = limit.get(member).filter(|window| window.is_object())?;
        let hours = number(window.get("limit_window_seconds")?)? / 3600.0;
        let label = match hours.round() {
            hours if hours >= 160.0 => "Week".to_owned(),
            hours if hours >= 24.0 => "Day".to_owned(),
            hours => format!("{hours}h"),
        };
        Some(Window::new(label, number(window.get("used_percent")?)?, instant(window.get("reset_at"))))
    };
    Some(["primary_window", "secondary_window"].into_iter().filter_map(window).collect())
}

fn copilot(answer: &Value) -> Option<Vec<Window>> {
    let quotas = answer.get("quota_snapshots")?;
    let resets_at = instant(answer.get("quota_reset_date"));
    let window = |(member, label): (&str, &str)| {
        let left = number(quotas.get(member)?.get("percent_remaining")?)?;
        Some(Window::new(label, 100.0 - left, resets_at))
    };
    Some([("premium_interactions", "Premium"), ("chat", "Chat")].into_iter().filter_map(window).collect())
}

/// The scarcest model of each family counts.
fn gemini(answer: &Value) -> Option<Vec<Window>> {
    let buckets = answer.get("buckets")?.as_array()?;
    let scarcest = |(family, label): (&str, &str)| {
        let of_family = buckets.iter().filter(|bucket| {
            bucket.get("modelId").and_then(Value::as_str).is_some_and(|id| id.contains(family))
        });
        let left = of_family.filter_map(|bucket| {
            Some((number(bucket.get("remainingFraction")?)?, instant(bucket.get("resetTime"))))
        });
        let (left, resets_at) = left.min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Window::new(label, 100.0 - left * 100.0, resets_at))
    };
    Some([("pro", "Pro"), ("flash", "Flash")].into_iter().filter_map(scarcest).collect())
}

fn minimax(answer: &Value) -> Option<Vec<Window>> {
    let models = answer.get("model_remains")?.as_array()?;
    let window = |model: &Value| {
        let total = number(model.get("current_interval_total_count")?)?;
        let left = number(model.get("current_interval_usage_count")?)?;
        let (start, end) = (instant(model.get("start_time")), instant(model.get("end_time")));
        let hours = start.zip(end).map_or(5, |(start, end)| (end - start) / span::HOUR);
        // The member named after usage counts what is left.
        (total > 0.0).then(|| Window::new(format!("{hours}h"), 100.0 - left / total * 100.0, end))
    };
    Some(models.first().and_then(window).into_iter().collect())
}

fn zai(answer: &Value) -> Option<Vec<Window>> {
    let limits = answer.get("data")?.get("limits")?.as_array()?;
    let window = |limit: &Value| {
        let label = match limit.get("type")?.as_str()? {
            "TOKENS_LIMIT" => "Tokens",
            "TIME_LIMIT" => "Time",
            _ => return None,
        };
        Some(Window::new(label, number(limit.get("percentage")?)?, instant(limit.get("nextResetTime"))))
    };
    Some(limits.iter().filter_map(window).collect())
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

/// A date as text, or an instant in seconds or milliseconds.
fn instant(value: Option<&Value>) -> Option<EpochMs> {
    match value? {
        Value::String(text) => {
            let date = DateTime::parse_from_rfc3339(text)
                .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}T00:00:00Z")));
            Some(date.ok()?.timestamp_millis())
        }
        Value::Number(number) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float cast saturates, which is the clamping we want"
            )]
            let number = number.as_f64()? as i64;
            // In milliseconds this would be a day of 1973.
            Some(if number < 100_000_000_000 { number.saturating_mul(span::SECOND) } else { number })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::windows;

    fn shown(provider: &str, answer: &str) -> Vec<String> {
        let windows = windows(provider, answer).unwrap_or_default();
        windows.iter().map(|w| format!("{} {} {:?}", w.label, w.left_percent(), w.resets_at)).collect()
    }

    #[test]
    fn every_provider_is_read_in_its_own_words() {
        for (provider, answer, wanted) in [
            (
                "anthropic",
                r#"{"five_hour":{"utilization":12.0,"resets_at":"1970-01-01T00:00:10Z"},"seven_day":{"utilization":80,"resets_at":null},"seven_day_opus":null}"#,
                vec!["5h 88 Some(10000)", "Week 20 None"],
            ),
            (
                "openai-codex",
                r#"{"rate_limit":{"primary_window":{"used_percent":40,"limit_window_seconds":18000,"reset_at":1795338000},"secondary_window":{"used_percent":5,"limit_window_seconds":604800,"reset_at":1795338000}}}"#,
                vec!["5h 60 Some(1795338000000)", "Week 95 Some(1795338000000)"],
            ),
            (
                "github-copilot",
                r#"{"quota_reset_date":"1970-01-02","quota_snapshots":{"premium_interactions":{"percent_remaining":30.5},"chat":{"percent_remaining":100}}}"#,
                vec!["Premium 30.5 Some(86400000)", "Chat 100 Some(86400000)"],
            ),
            (
                "google-gemini-cli",
                r#"{"buckets":[{"modelId":"gemini-3-pro","remainingFraction":0.5},{"modelId":"gemini-2.5-pro","remainingFraction":0.25},{"modelId":"gemini-3-flash","remainingFraction":1}]}"#,
                vec!["Pro 25 None", "Flash 100 None"],
            ),
            (
                "zai",
                r#"{"code":200,"data":{"limits":[{"type":"TOKENS_LIMIT","percentage":25,"nextResetTime":1795338000000},{"type":"OTHER"}]}}"#,
                vec!["Tokens 75 Some(1795338000000)"],
            ),
            (
                "minimax",
                r#"{"model_remains":[{"start_time":1795320000000,"end_time":1795338000000,"current_interval_total_count":100,"current_interval_usage_count":40}]}"#,
                vec!["5h 40 Some(1795338000000)"],
            ),
        ] {
            assert_eq!(shown(provider, answer), wanted, "{provider}");
        }
    }

    #[test]
    fn what_is_no_answer_gives_no_windows() {
        for provider in
            ["anthropic", "openai-codex", "github-copilot", "google-gemini-cli", "zai", "minimax", "groq"]
        {
            for answer in [
                "",
                "<html>",
                "[]",
                "{}",
                "null",
                r#"{"rate_limit":5,"data":5,"buckets":[5],"model_remains":[]}"#,
            ] {
                assert!(windows(provider, answer).is_none(), "{provider} {answer}");
            }
        }
    }
}
