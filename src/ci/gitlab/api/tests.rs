use super::*;
use std::cell::RefCell;

const TERMS: Terms<'static> = Terms {
    profile: "production",
    scope: "review/*",
    key: None,
    protected: true,
    hidden: true,
    adopt: false,
    prune: false,
    unmasked: false,
};

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status,
        retry_after: None,
        next_page: None,
        body: Zeroizing::new(body.as_bytes().to_vec()),
    }
}

fn step(action: Action, secret: &Secret) -> Step<'_> {
    Step {
        action,
        key: "TOKEN".to_owned(),
        secret: Some(secret),
        file: false,
        masked: true,
        hidden: true,
        description: "managed by dotage, profile production".to_owned(),
        why: Vec::new(),
    }
}

const MADE: &str = r#"{"key":"TOKEN","value":null,"variable_type":"env_var","protected":true,"masked":true,"hidden":true,"raw":true,"environment_scope":"review/*","description":"managed by dotage, profile production"}"#;

/// What happened when `ask` talked to a server that gives these answers in turn: its result, the requests, the waits.
fn talk<T>(
    answers: Vec<Answer>,
    ask: impl FnOnce(&Api<'_>) -> Result<T, Problem>,
) -> (Result<T, Problem>, Vec<String>, Vec<u64>) {
    let answers = RefCell::new(answers.into_iter());
    let (asked, waits) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let send = |request: &Request| {
        let path = request.url.strip_prefix("https://g/api/v4").unwrap();
        asked
            .borrow_mut()
            .push(format!("{} {path}", request.method));
        Ok(answers.borrow_mut().next().expect("one request too many"))
    };
    let wait = |time: Duration| waits.borrow_mut().push(time.as_secs());
    let api = Api::new(
        "https://g/",
        &Owner::Project("a/b c".to_owned()),
        &send,
        &wait,
    );
    let result = ask(&api);
    assert!(
        answers.borrow_mut().next().is_none(),
        "an answer nobody wanted"
    );
    (result, asked.into_inner(), waits.into_inner())
}

fn all(api: &Api<'_>) -> Result<Vec<Variable>, Problem> {
    api.variables()
}

#[test]
fn pages_are_followed_by_the_header_and_without_it() {
    let of = |count: usize| format!("[{}]", vec![MADE; count].join(","));
    let page = |count, next: Option<&str>| Answer {
        next_page: next.map(str::to_owned),
        ..answer(200, &of(count))
    };
    let (result, asked, _) = talk(vec![page(3, Some("2")), page(1, Some(""))], all);
    assert_eq!(result.ok().unwrap().len(), 4);
    assert_eq!(
        asked,
        [
            "GET /projects/a%2Fb%20c/variables?per_page=100&page=1",
            "GET /projects/a%2Fb%20c/variables?per_page=100&page=2"
        ]
    );
    let (result, asked, _) = talk(vec![page(100, None), page(0, None)], all);
    assert_eq!((result.ok().unwrap().len(), asked.len()), (100, 2));
}

#[test]
fn a_limit_is_waited_for_as_long_as_it_says_and_not_for_ever() {
    let limited = |seconds| Answer {
        retry_after: Some(seconds),
        ..answer(429, "")
    };
    let (result, _, waits) = talk(vec![limited(7), limited(0), answer(200, "[]")], all);
    assert!(result.is_ok());
    assert_eq!(waits, [7, 1]);
    let (result, _, waits) = talk(vec![limited(200), limited(200)], all);
    assert_eq!(result.err().unwrap().rule, "rate-limit");
    assert_eq!(waits, [200]);
}

#[test]
fn what_fails_for_now_is_tried_again_and_then_told() {
    let (result, asked, waits) = talk(vec![answer(502, ""), answer(0, ""), answer(200, "[]")], all);
    assert!(result.is_ok());
    assert_eq!((asked.len(), waits), (3, vec![1, 2]));
    let down = (0..5).map(|_| answer(503, "")).collect();
    let (result, _, waits) = talk(down, all);
    assert_eq!(result.err().unwrap().message, "the server answers 503");
    assert_eq!(waits, [1, 2, 4, 8]);
}

#[test]
fn a_creation_whose_answer_was_lost_becomes_an_update() {
    let secret = Secret::new(b"one-two-three".to_vec());
    let taken = r#"{"message":{"key":["(TOKEN) has already been taken"]}}"#;
    let (result, asked, _) = talk(
        vec![answer(502, ""), answer(400, taken), answer(200, MADE)],
        |api| api.take(&step(Action::Create, &secret), &TERMS),
    );
    assert!(result.ok().unwrap().is_none());
    assert_eq!(
        asked.last().unwrap(),
        "PUT /projects/a%2Fb%20c/variables/TOKEN?filter%5Benvironment_scope%5D=review%2F%2A"
    );
    // Refused for another reason, it isn't there: the first refusal is the one that counts.
    let refusal = r#"{"message":{"value":["one-two-three is invalid"]}}"#;
    let (result, ..) = talk(
        vec![answer(502, ""), answer(400, refusal), answer(404, "")],
        |api| api.take(&step(Action::Create, &secret), &TERMS),
    );
    assert_eq!(
        result.err().unwrap().message,
        "GitLab refuses TOKEN for its value"
    );
}

#[test]
fn a_replacement_is_a_deletion_and_a_creation() {
    let secret = Secret::new(b"one\ntwo".to_vec());
    let (result, asked, _) = talk(vec![answer(204, ""), answer(201, MADE)], |api| {
        api.take(&step(Action::Replace, &secret), &TERMS)
    });
    assert!(result.is_ok());
    let methods: Vec<_> = asked
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(methods, ["DELETE", "POST"]);
}

#[test]
fn what_came_to_be_too_open_is_taken_back() {
    let secret = Secret::new(b"one-two-three".to_vec());
    for (made, rule) in [
        (MADE.replace("review/*", "*"), "scope"),
        (
            MADE.replace("\"masked\":true", "\"masked\":false"),
            "attributes",
        ),
        (
            MADE.replace("\"protected\":true", "\"protected\":false"),
            "attributes",
        ),
    ] {
        let (result, asked, _) = talk(vec![answer(201, &made), answer(204, "")], |api| {
            api.take(&step(Action::Create, &secret), &TERMS)
        });
        assert_eq!(result.err().unwrap().rule, rule);
        assert!(asked[1].starts_with("DELETE "), "{asked:?}");
    }
    let unmarked = MADE.replace("managed by", "by");
    let (result, ..) = talk(vec![answer(201, &unmarked)], |api| {
        api.take(&step(Action::Create, &secret), &TERMS)
    });
    assert_eq!(result.ok().unwrap().unwrap().rule, "not-marked");
    let shown = MADE.replace("\"hidden\":true,", "");
    let (result, ..) = talk(vec![answer(201, &shown)], |api| {
        api.take(&step(Action::Create, &secret), &TERMS)
    });
    assert_eq!(result.ok().unwrap().unwrap().rule, "not-hidden");
}

#[test]
fn no_answer_is_quoted() {
    for status in [0, 302, 400, 401, 403, 404, 418] {
        let body = r#"{"message":"AGE-SECRET-KEY-1"}"#;
        let answers = match status {
            0 => (0..5).map(|_| answer(0, body)).collect(),
            status => vec![answer(status, body)],
        };
        let (result, ..) = talk(answers, all);
        let problem = result.err().unwrap();
        assert!(!problem.to_string().contains("AGE"), "{problem}");
        assert!(problem.help.is_some(), "{problem}");
    }
    let (result, ..) = talk(vec![answer(200, "<html>AGE-SECRET")], all);
    assert!(!result.err().unwrap().to_string().contains("AGE"));
}

#[test]
fn a_body_holds_what_was_asked_and_hides_at_creation_only() {
    let secret = Secret::new("ä\"\\\n".as_bytes().to_vec());
    let step = step(Action::Create, &secret);
    let told: Value = serde_json::from_str(&body(&step, &TERMS, true)).unwrap();
    assert_eq!(told["value"], "ä\"\\\n");
    assert_eq!(told["masked_and_hidden"], true);
    assert_eq!(told["raw"], true);
    let told: Value = serde_json::from_str(&body(&step, &TERMS, false)).unwrap();
    assert!(told.get("masked_and_hidden").is_none() && told.get("key").is_none());
}
