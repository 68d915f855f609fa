//! A job's SARIF document: one message where it fits, else in parts to be joined.

use serde::de::IgnoredAny;

use super::client::{Client, ClientError};
use super::reply::Refusal;
use crate::protocol::errors::WireError;

/// Parts read at most: at 448 KiB each, 220 MiB of SARIF, more than any reader of it takes.
const PARTS_MAX: u32 = 512;

/// Reads the document at `uri`.
pub async fn read(client: &mut Client, uri: &str) -> Result<String, ClientError> {
    let too_large = WireError::AnswerTooLarge { bytes: 0, limit: 0 }.code();
    let text = match client.read(uri).await {
        Err(error) if is_refusal(&error, too_large) => parts(client, uri).await?,
        other => other?,
    };
    // A part that got lost would go unnoticed otherwise.
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(ClientError::Misread { what: uri.to_owned(), why: error.to_string() }),
    }
}

/// `uri/0`, `uri/1`, … up to the first that is not there.
async fn parts(client: &mut Client, uri: &str) -> Result<String, ClientError> {
    let past_the_last = WireError::ResourceNotFound { uri: String::new(), advice: String::new() }.code();
    let mut text = String::new();
    for number in 0..PARTS_MAX {
        match client.read(&format!("{uri}/{number}")).await {
            Ok(part) => text.push_str(&part),
            Err(error) if number > 0 && is_refusal(&error, past_the_last) => return Ok(text),
            Err(error) => return Err(error),
        }
    }
    Err(ClientError::Misread { what: uri.to_owned(), why: format!("it has more than {PARTS_MAX} parts") })
}

fn is_refusal(error: &ClientError, code: i32) -> bool {
    matches!(error, ClientError::Refused { refusal: Refusal { code: Some(told), .. }, .. } if *told == i64::from(code))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::fake_daemon::{connected, play, result, with_handshake};

    const URI: &str = "proctor://jobs/1/sarif";

    fn refused(request: &Value, error: &WireError) -> Value {
        json!({ "jsonrpc": "2.0", "id": request["id"], "error": error.to_data() })
    }

    /// Reads from a daemon that has the document in these parts; one part is sent whole.
    async fn read_parts(parts: &'static [&'static str]) -> Result<String, ClientError> {
        let answer = move |request: &Value| {
            let uri = request["params"]["uri"].as_str().unwrap();
            let number =
                uri.strip_prefix(URI).unwrap().strip_prefix('/').map(|number| number.parse().unwrap());
            let part = match number {
                None if parts.len() > 1 => {
                    return vec![refused(request, &WireError::AnswerTooLarge { bytes: 9, limit: 1 })];
                }
                None => parts.first(),
                Some(number) => parts.get::<usize>(number),
            };
            let missing = WireError::ResourceNotFound { uri: uri.into(), advice: "there are fewer".into() };
            match part {
                Some(text) => vec![result(request, &json!({ "contents": [{ "uri": uri, "text": text }] }))],
                None => vec![refused(request, &missing)],
            }
        };
        play(with_handshake(answer), async |address| {
            let mut client = connected(address).await;
            let read = read(&mut client, URI).await;
            client.close().await;
            read
        })
        .await
    }

    #[tokio::test]
    async fn a_document_arrives_whole_in_one_message_or_in_many() {
        assert_eq!(read_parts(&["{\"runs\":[]}"]).await.unwrap(), "{\"runs\":[]}");
        assert_eq!(read_parts(&["{\"ru", "ns\":", "[]}"]).await.unwrap(), "{\"runs\":[]}");
    }

    #[tokio::test]
    async fn a_torn_document_is_an_error() {
        assert!(matches!(read_parts(&["{\"ru", "ns\":"]).await, Err(ClientError::Misread { .. })));
        assert!(matches!(read_parts(&[]).await, Err(ClientError::Refused { .. })));
    }
}
