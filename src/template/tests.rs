//! What templates become, and why some become nothing.

use super::*;

const PEM: &str = "-----BEGIN KEY-----\nabc+/=\n-----END KEY-----\n";

/// Renders a template of this name and text with a few values at hand; the text, or the problem as it is printed.
fn render(file: &str, source: &str) -> Result<String, String> {
    render_beside(file, &[(file, source)])
}

fn render_beside(file: &str, files: &[(&str, &str)]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        crate::file::create_folder(path.parent().unwrap(), 0o755).unwrap();
        crate::file::create(&path, source.as_bytes(), 0o644).unwrap();
    }
    let say = |problem: Problem| {
        problem
            .to_string()
            .replace(&format!("{}/", folder.path().display()), "")
    };
    let template = Template::load(
        &folder.path().join(file),
        None,
        &[("built-in.env.j2", "BUILT={{ IN }}\n")],
    )
    .map_err(say)?;
    let values = [
        ("PLAIN", "abc-123"),
        ("IN", "in"),
        ("SPACED", "two words"),
        ("QUOTE", "it's"),
        ("DOLLAR", "a$HOME"),
        ("PEM", PEM),
        ("BRACES", "{{ PLAIN }}"),
        ("NUMBER", "42"),
    ];
    let name = |name: &str| Name::new(name).unwrap();
    let scope = Scope {
        secrets: values
            .iter()
            .map(|(key, value)| (name(key), Secret::new(value.as_bytes().to_vec())))
            .chain([(name("BYTES"), Secret::new(vec![0xff, 0xfe]))])
            .collect(),
        previous: Secrets::new(),
        variables: vec![
            Listed {
                name: name("PLAIN"),
                sensitive: true,
                purpose: "the first".to_owned(),
            },
            Listed {
                name: name("SPACED"),
                sensitive: false,
                purpose: "the second".to_owned(),
            },
        ],
        profile: "production".to_owned(),
        service: Some("api".to_owned()),
        env: BTreeMap::from([("TAG".to_owned(), "v1".to_owned())]),
        data: serde_json::json!({"host": "it's db-1", "port": 5432, "ports": [1, 2], "template": "{{ PLAIN }}", "nothing": null}),
    };
    let rendered = template.render(scope).map_err(say)?;
    Ok(String::from_utf8(rendered.text.expose().to_vec()).unwrap())
}

#[test]
fn a_value_is_quoted_for_the_consumer_that_the_name_says() {
    for (file, expected) in [
        ("a.env.j2", "A=\"it's\"\n"),
        ("a.compose.env.j2", "A=\"it's\"\n"),
        ("a.shell.env.j2", "A='it'\\''s'\n"),
        ("a.systemd.env.j2", "A=\"it's\"\n"),
        ("a.docker.env.j2", "A=it's\n"),
        ("a.node.env.j2", "A=`it's`\n"),
        ("a.kubernetes.env.jinja2", "A=it's\n"),
    ] {
        assert_eq!(
            render(file, "A={{ QUOTE }}\n"),
            Ok(expected.to_owned()),
            "{file}"
        );
    }
}

#[test]
fn a_value_is_quoted_whole_however_many_parts_it_has() {
    assert_eq!(
        render("a.compose.env.j2", "A=x{{ DOLLAR }}/{{ SPACED }}:y\n"),
        Ok("A=\"xa\\$HOME/two words:y\"\n".to_owned())
    );
    assert_eq!(
        render("a.shell.env.j2", "A={{ SPACED }}{{ QUOTE }}\n"),
        Ok("A='two wordsit'\\''s'\n".to_owned())
    );
    assert_eq!(
        render("a.env.j2", "A={{ \"x y \" ~ PLAIN }}\n"),
        Ok("A='x y abc-123'\n".to_owned())
    );
    assert_eq!(
        render("a.github.env.j2", "A={{ PEM }}\nB=1\n").map(|text| text.contains(PEM)),
        Ok(true)
    );
}

#[test]
fn a_value_is_never_a_template() {
    assert_eq!(
        render("a.shell.env.j2", "A={{ BRACES }}\n"),
        Ok("A='{{ PLAIN }}'\n".to_owned())
    );
}

#[test]
fn what_a_template_sees() {
    assert_eq!(
        render(
            "a.shell.env.j2",
            "# {{ profile }} {{ service }}\n{% for v in variables %}\n{{ v.name }}={{ v.value }}\n{% endfor %}\nT={{ env.TAG }}\n"
        ),
        Ok("# production api\nPLAIN=abc-123\nSPACED='two words'\nT=v1\n".to_owned())
    );
}

#[test]
fn the_callers_data_is_quoted_and_never_a_template() {
    assert_eq!(
        render(
            "a.shell.env.j2",
            "H={{ vars.host }}\nP={{ vars.port + vars.ports[1] }}\nT={{ vars.template }}\n"
        ),
        Ok("H='it'\\''s db-1'\nP=5434\nT='{{ PLAIN }}'\n".to_owned())
    );
    for (name, why) in [
        ("hots", "a name that is not defined"),
        ("nothing", "neither text nor a number"),
    ] {
        let problem = render("a.env.j2", &format!("H={{{{ vars.{name} }}}}\n")).unwrap_err();
        assert!(problem.contains(why), "{problem}");
    }
}

#[test]
fn filters_are_jinjas_and_ours() {
    for (expression, expected) in [
        ("PLAIN | upper", "A=ABC-123\n"),
        ("SPACED | b64encode", "A=dHdvIHdvcmRz\n"),
        ("BYTES | b64encode", "A=//4=\n"),
        ("DOLLAR | urlencode", "A=a%24HOME\n"),
        ("QUOTE | to_json", "A='\"it'\\''s\"'\n"),
        ("SPACED | quote", "A='two words'\n"),
        ("QUOTE | quote", "A='it'\\''s'\n"),
        ("PLAIN | raw", "A=abc-123\n"),
        ("missing | default(\"none\")", "A=none\n"),
        ("NUMBER | int + 1", "A=43\n"),
    ] {
        assert_eq!(
            render("a.shell.env.j2", &format!("A={{{{ {expression} }}}}\n")),
            Ok(expected.to_owned()),
            "{expression}"
        );
    }
}

#[test]
fn a_document_gets_scalars_of_its_own() {
    assert_eq!(
        render("a.yaml.j2", "# {{ profile }}\nname: {{ service }}-secret\nstringData:\n{% for v in variables %}\n  {{ v.name }}: {{ v.value }}\n{% endfor %}\n"),
        Ok("# production\nname: api-secret\nstringData:\n  \"PLAIN\": \"abc-123\"\n  \"SPACED\": \"two words\"\n".to_owned())
    );
    assert_eq!(
        render("a.json.j2", "{\"a\": {{ PEM }}, \"b\": [{{ QUOTE }}]}\n"),
        Ok(format!(
            "{{\"a\": {}, \"b\": [\"it's\"]}}\n",
            serde_json::to_string(PEM).unwrap()
        ))
    );
    assert_eq!(
        render("a.json.j2", "{\"a\": {{ QUOTE | to_json }}}\n"),
        Ok("{\"a\": \"it's\"}\n".to_owned())
    );
}

#[test]
fn what_a_block_captures_is_filled_where_it_is_written() {
    let source = "{% macro line(name, value) %}\n{{ name }}={{ value }}\n{% endmacro %}\n{{ line(\"A\", SPACED) }}{{ line(\"B\", PLAIN) }}";
    assert_eq!(
        render("a.shell.env.j2", source),
        Ok("A='two words'\nB=abc-123\n".to_owned())
    );
    let source = "{% set x %}{{ DOLLAR }}{% endset %}\nA={{ x }}\nB={{ x }}\n";
    assert_eq!(
        render("a.shell.env.j2", source),
        Ok("A='a$HOME'\nB='a$HOME'\n".to_owned())
    );
}

#[test]
fn includes_come_from_the_templates_folder_and_the_built_in_ones() {
    let files = [
        (
            "t/a.env.j2",
            "{% include \"sub/part.env.j2\" %}{% include 'built-in.env.j2' %}{% include \"none.env.j2\" ignore missing %}",
        ),
        ("t/sub/part.env.j2", "P={{ PLAIN }}\n"),
    ];
    assert_eq!(
        render_beside("t/a.env.j2", &files),
        Ok("P=abc-123\nBUILT=in\n".to_owned())
    );
    let files = [
        ("base.env.j2", "A=1\n{% block more %}{% endblock %}"),
        (
            "a.env.j2",
            "{% extends \"base.env.j2\" %}{% block more %}B={{ PLAIN }}\n{% endblock %}",
        ),
    ];
    assert_eq!(
        render_beside("a.env.j2", &files),
        Ok("A=1\nB=abc-123\n".to_owned())
    );
}

#[test]
fn names_are_known_before_any_value_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.env.j2");
    crate::file::create(&path, b"A={{ ONE }}{% if TWO == \"x\" %}{{ THREE | upper }}{% endif %}{% for i in range(3) %}{{ i }}{% endfor %}\n", 0o644).unwrap();
    let template = Template::load(&path, None, &[]).unwrap();
    assert_eq!(
        template
            .names()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["ONE", "THREE", "TWO"]
    );
    let problem = template.problem_with("TWO", "x", "not there");
    assert_eq!(
        problem.place.map(|place| (place.line, place.column)),
        Some((1, 18))
    );
}

#[test]
fn what_cannot_be_carried_is_told_with_the_templates_line() {
    for (file, source, expected) in [
        (
            "a.docker.env.j2",
            "A=1\n\nB={{ PEM }}\n",
            "a.docker.env.j2:3: docker cannot carry the value of B: ",
        ),
        (
            "a.env.j2",
            "A={{ DOLLAR }}\n",
            "a.env.j2:1: portable cannot carry the value of A: ",
        ),
        (
            "a.dotenv-expand.env.j2",
            "{% set x = '$(id)' %}\nA={{ x }}\n",
            "a.dotenv-expand.env.j2:2: dotenv-expand cannot carry the value of A: ",
        ),
        (
            "a.env.j2",
            "A=1\n{{ PLAIN }}\n",
            "a.env.j2:2: a value on a line that does not begin with NAME=",
        ),
        (
            "a.env.j2",
            "A=\"{{ PLAIN }}\"\n",
            "a.env.j2:1: quotes around the value of A",
        ),
        (
            "a.compose.env.j2",
            "A='open\nB={{ PLAIN }}\n",
            "a.compose.env.j2",
        ),
        (
            "a.env.j2",
            "A=1\nA={{ PLAIN }}\n",
            "a.env.j2:2: A is assigned twice",
        ),
        (
            "a.shell.env.j2",
            "A={{ BYTES }}\n",
            "a.shell.env.j2:1: a value that is not text (its bytes are not UTF-8)",
        ),
        (
            "a.shell.env.j2",
            "A={{ PLAIN == 1 }}\n",
            "a.shell.env.j2:1: a value that is neither text nor a number",
        ),
        (
            "a.shell.env.j2",
            "A={{ variables }}\n",
            "a.shell.env.j2:1: a list or a mapping where text is expected",
        ),
        (
            "a.shell.env.j2",
            "A={{ env.NONE }}\n",
            "a.shell.env.j2:1: a name that is not defined here",
        ),
        (
            "a.shell.env.j2",
            "{% set x %}{{ PLAIN }}{% endset %}\nA={{ x | b64encode }}\n",
            "a.shell.env.j2:2: a filter on text that was captured from a block",
        ),
        (
            "a.shell.env.j2",
            "{% set x %}{{ PLAIN }}{% endset %}\nA={{ x | urlencode }}\n",
            "a.shell.env.j2:1: a value was captured in a block and then changed or dropped",
        ),
        (
            "a.shell.env.j2",
            "A=\u{fdd0}\n",
            "a.shell.env.j2:1:3: a character that Unicode reserves",
        ),
        (
            "a.shell.env.j2",
            "{% include x %}\n",
            "a.shell.env.j2:1:1: an include whose name is not written out",
        ),
        (
            "a.shell.env.j2",
            "{% include \"../b\" %}\n",
            "a.shell.env.j2:1:13: an include outside the template's folder",
        ),
        (
            "a.shell.env.j2",
            "{% include \"a.shell.env.j2\" %}\n",
            "a.shell.env.j2:1: templates include each other without end",
        ),
        (
            "a.shell.env.j2",
            "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}\n",
            "a.shell.env.j2:1: the template runs too long",
        ),
        (
            "a.frob.env.j2",
            "A=1\n",
            "a.frob.env.j2: `frob` in the template's name is no dialect",
        ),
        (
            "a.txt.j2",
            "A=1\n",
            "a.txt.j2: `a.txt.j2` does not say which consumer reads the file",
        ),
        ("a.shell.env.j2", "A={{ PLAIN\n", "a.shell.env.j2:"),
        (
            "a.shell.env.j2",
            "A={{ PLAIN | rot13 }}\n",
            "a.shell.env.j2:1: filter rot13 is unknown",
        ),
        (
            "a.shell.env.j2",
            "A={{ debug() }}\n",
            "a.shell.env.j2:1: debug is unknown",
        ),
    ] {
        let message = render(file, source).expect_err(source);
        assert!(message.starts_with(expected), "{source:?}\n{message}");
        assert!(message.contains("\nhelp: "), "{message}");
        for value in ["abc-123", "it's", "a$HOME", "BEGIN KEY"] {
            assert!(!message.contains(value), "{message}");
        }
    }
}

#[test]
fn a_derived_value_is_percent_encoded() {
    let name = |name: &str| Name::new(name).unwrap();
    let secrets = Secrets::from([(name("A"), Secret::new("p@ss/wörd".into()))]);
    let value = derive(&name("URL"), "x://u:{{ A }}@h", &Place::file("x"), &secrets);
    assert_eq!(
        value.map(|value| value.expose().to_vec()),
        Ok(b"x://u:p%40ss%2Fw%C3%B6rd@h".to_vec())
    );
}

#[test]
fn plain_names_are_what_the_engine_finds() {
    let env = Environment::new();
    for source in [
        "A={{ ONE }}\nB={{TWO}}{ {{ ONE }}\n",
        "",
        "{{ a.b }}",
        "{{ A | upper }}",
        "{% if A %}{% endif %}",
        "{# A #}",
        "{{ loop }}",
        "{{ true }}",
        "{{- A -}}",
        "{{ A",
    ] {
        let Some(plain) = plain_names(source) else {
            continue;
        };
        let engine = env
            .template_from_str(source)
            .unwrap()
            .undeclared_variables(false);
        assert_eq!(plain, engine.into_iter().collect(), "{source}");
    }
    assert_eq!(
        plain_names("A={{ ONE }}\nB={{TWO}}\n").map(|names| names.len()),
        Some(2)
    );
    for other in [
        "{{ a.b }}",
        "{{ A | upper }}",
        "{% if A %}",
        "{# A #}",
        "{{ loop }}",
        "{{- A }}",
        "{{ A",
    ] {
        assert!(plain_names(other).is_none(), "{other}");
    }
}

#[test]
fn a_secret_is_no_name() {
    for (file, source) in [
        ("a.env.j2", "{{ PLAIN }}=1\n"),
        ("a.yaml.j2", "{{ PLAIN }}: 1\n"),
        ("a.json.j2", "{ {{ PLAIN }}: \"1\"}\n"),
    ] {
        let message = render(file, source).expect_err(source);
        assert!(
            message.contains("a secret's value where a name is expected"),
            "{message}"
        );
        assert!(!message.contains("abc-123"), "{message}");
    }
}

#[test]
fn a_page_shows_every_fact_as_text() {
    let facts = serde_json::json!({
        "text": "<b a='\"&{{ text }}", "none": null, "yes": true, "number": 41, "list": ["<", "&"], "object": {"of": ">"},
    });
    let made = |source: &str| page(source, &facts).map_err(|problem| problem.message);
    for (source, text) in [
        (
            "<p class=\"{{ text }}\">{{ text }}",
            "<p class=\"&lt;b a=&#x27;&quot;&amp;{{ text }}\">&lt;b a=&#x27;&quot;&amp;{{ text }}",
        ),
        ("{{ list|join(text[:1]) }}", "&lt;&lt;&amp;"),
        ("{{ object.of ~ list[0] }}", "&gt;&lt;"),
        (
            "{% macro m(a) %}<i>{{ a }}</i>{% endmacro %}{{ m(text[:1]) }}",
            "<i>&lt;</i>",
        ),
        (
            "{% if none is none and yes %}{{ number + 1 }}{% endif %}",
            "42",
        ),
    ] {
        assert_eq!(made(source).as_deref(), Ok(text), "{source}");
    }
    for source in ["{{ text|safe }}", "{{ nothing }}", "{{ text"] {
        assert!(
            made(source)
                .unwrap_err()
                .starts_with("line 1 of the page's template: "),
            "{source}"
        );
    }
}
