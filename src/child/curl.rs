//! curl, asked for one request: what is sent goes to its standard input, never among its arguments.
//!
//! # Why
//!
//! ureq with rustls, the lightest that is well kept, makes a binary larger by 1.28 MB (measured: 1,568,416 bytes against
//! 288,416 with this profile), and the static one would no longer fit into its 6 MB; and it would bring certificates of
//! its own. curl is on every runner that can fetch dotage, and knows the system's certificates and proxies. It reads no
//! `.curlrc`, follows no redirect, which would carry a token elsewhere, and speaks plain HTTP to this machine alone.

use super::{leads_to_an_identity, not_started};
use crate::problem::Problem;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// The most that an answer may hold.
const ANSWER_LIMIT: u64 = 16 << 20;
/// The longest line that curl 7 reads of its configuration.
const LINE_LIMIT: usize = 100 << 10;

/// A request.
pub struct Call<'a> {
    /// `GET`, `POST` and so on.
    pub method: &'a str,
    /// The address.
    pub url: &'a str,
    /// Header lines: `NAME: VALUE`.
    pub headers: &'a [&'a str],
    /// The body.
    pub body: Option<&'a str>,
    /// The variables of this process that curl needs to know nothing of.
    pub without: &'a [&'a str],
}

/// What came back.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

/// Makes a request; none when nothing came back that another try might bring.
///
/// # Errors
/// When there is no curl, when the address isn't one for a secret, when the server's certificate isn't good.
pub fn curl(call: &Call<'_>) -> Result<Option<Reply>, Problem> {
    let secure = scheme(call.url)?;
    let config = config(call, secure)?;
    let mut command = Command::new("curl");
    command
        .args(["-q", "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let known = |name: &str| leads_to_an_identity(name) || call.without.contains(&name);
        if name.to_str().is_some_and(known) {
            command.env_remove(name);
        }
    }
    let mut child = command.spawn().map_err(|error| {
        not_started("the API", "curl", &error).help("install curl, and ca-certificates with it")
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends before it has read all says why by its exit code.
        let _ = stdin.write_all(config.as_bytes());
    }
    let mut answer = Zeroizing::new(Vec::new());
    let read = match child.stdout.take() {
        Some(pipe) => pipe.take(ANSWER_LIMIT + 1).read_to_end(&mut answer),
        None => Ok(0),
    };
    if read.is_err() || answer.len() as u64 > ANSWER_LIMIT {
        let _ = child.kill();
        let _ = child.wait();
        return Err(Problem::new(
            "curl",
            "the server's answer is longer than 16 MiB",
        ));
    }
    let status = child
        .wait()
        .map_err(|error| not_started("the API", "curl", &error))?;
    match status.code() {
        Some(0) => Ok(reply(&answer)),
        // No name, no connection, too slow, cut off: what may be otherwise in a moment.
        Some(5 | 6 | 7 | 16 | 18 | 28 | 35 | 52 | 55 | 56 | 92) => Ok(None),
        Some(51 | 60 | 77 | 90 | 91) => Err(Problem::new(
            "certificate",
            "the server's certificate is not one that this machine trusts",
        )
        .help("name the file of its authority: CURL_CA_BUNDLE=ca.pem (in a job: CURL_CA_BUNDLE=\"$CI_SERVER_TLS_CA_FILE\")")),
        Some(3) => Err(Problem::new("url", "the server's address is none that curl takes")
            .help("give one like https://gitlab.example.com")),
        code => Err(Problem::new(
            "curl",
            code.map_or_else(
                || "curl was killed".to_owned(),
                |code| format!("curl exited with {code}"),
            ),
        )
        .help("`man curl` says what the number means, under EXIT CODES")),
    }
}

/// Whether an address is https; http is for this machine alone.
fn scheme(url: &str) -> Result<bool, Problem> {
    let wrong = |message: &str| {
        Err(Problem::new("url", message).help("give one like https://gitlab.example.com"))
    };
    let (secure, rest) = match url.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        _ => return wrong("the server's address begins with neither https:// nor http://"),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains('@') || url.contains(char::is_whitespace) {
        return wrong(
            "the server's address has no host, or more than a host and a port before its path",
        );
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    if !secure && !matches!(host, "127.0.0.1" | "::1" | "localhost") {
        return wrong("http would show the token and every value on the way");
    }
    Ok(secure)
}

/// What curl reads on its standard input.
fn config(call: &Call<'_>, secure: bool) -> Result<Zeroizing<String>, Problem> {
    let mut config = Zeroizing::new(String::with_capacity(
        4096 + 2 * call.body.map_or(0, str::len),
    ));
    config.push_str(
        "silent\ninclude\ngloboff\nsuppress-connect-headers\nconnect-timeout = 15\nmax-time = 120\nuser-agent = \"dotage\"\nheader = \"Expect:\"\n",
    );
    let mut line = |option: &str, value: &str| {
        let start = config.len();
        let _ = write!(config, "{option} = \"");
        for c in value.chars() {
            match c {
                '\\' => config.push_str("\\\\"),
                '"' => config.push_str("\\\""),
                '\n' => config.push_str("\\n"),
                '\r' => config.push_str("\\r"),
                '\t' => config.push_str("\\t"),
                c => config.push(c),
            }
        }
        config.push_str("\"\n");
        if config.len() - start < LINE_LIMIT {
            Ok(())
        } else {
            Err(
                Problem::new("too-long", "a value is too long for an address of the API")
                    .help("leave it in the vault: `dotage run` gives it to a job"),
            )
        }
    };
    line("proto", if secure { "=https" } else { "=http" })?;
    line("request", call.method)?;
    line("url", call.url)?;
    for header in call.headers {
        line("header", header)?;
    }
    if let Some(body) = call.body {
        line("data-raw", body)?;
    }
    Ok(config)
}

/// The reply in what curl printed: of several heads (`100 Continue`) the last counts.
fn reply(printed: &[u8]) -> Option<Reply> {
    let mut rest = printed;
    loop {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n")?;
        let (head, body) = rest.split_at(end);
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let status: u16 = words
            .next()
            .filter(|word| word.starts_with("HTTP/"))
            .and(words.next())?
            .parse()
            .ok()?;
        rest = body.get(4..)?;
        if status < 200 {
            continue;
        }
        let headers = lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        });
        return Some(Reply {
            status,
            headers: headers.collect(),
            body: Zeroizing::new(rest.to_vec()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(url: &'a str, body: Option<&'a str>) -> Call<'a> {
        Call {
            method: "POST",
            url,
            headers: &["PRIVATE-TOKEN: a\"b\\c"],
            body,
            without: &[],
        }
    }

    #[test]
    fn a_secret_goes_over_https_or_stays_on_this_machine() {
        for good in [
            "https://gitlab.example.com/api",
            "https://gitlab.example.com:8443",
            "http://localhost:8080/x",
            "http://127.0.0.1",
            "http://[::1]:80/",
        ] {
            assert!(scheme(good).is_ok(), "{good}");
        }
        for bad in [
            "http://gitlab.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1@example.com/",
            "https://a:b@example.com/",
            "https://",
            "file:///etc/passwd",
            "gitlab.example.com",
            "https://x y",
        ] {
            assert_eq!(scheme(bad).unwrap_err().rule, "url", "{bad}");
        }
    }

    #[test]
    fn no_text_leaves_its_quotes() {
        let text = config(&call("https://x/", Some("{\"v\":\"a\\nb\"}")), true).unwrap();
        assert!(
            text.contains("header = \"PRIVATE-TOKEN: a\\\"b\\\\c\"\n"),
            "{}",
            *text
        );
        assert!(
            text.ends_with("data-raw = \"{\\\"v\\\":\\\"a\\\\nb\\\"}\"\n"),
            "{}",
            *text
        );
        let long = "\"".repeat(LINE_LIMIT / 2);
        let problem = config(&call("https://x/", Some(&long)), true).unwrap_err();
        assert_eq!(problem.rule, "too-long");
    }

    #[test]
    fn the_last_head_counts() {
        let printed =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2 201\r\nX-Next-Page: 2\r\n\r\n{}\r\n\r\n";
        let reply = reply(printed).unwrap();
        assert_eq!(reply.status, 201);
        assert_eq!(reply.headers, [("x-next-page".to_owned(), "2".to_owned())]);
        assert_eq!(&**reply.body, b"{}\r\n\r\n");
        for bad in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 many\r\n\r\n",
        ] {
            assert!(super::reply(bad.as_bytes()).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_port_where_nobody_listens_gives_nothing() {
        assert!(curl(&call("http://127.0.0.1:9/", None)).unwrap().is_none());
    }
}
