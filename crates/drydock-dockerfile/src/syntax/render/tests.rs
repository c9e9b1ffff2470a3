use insta::assert_snapshot;

use crate::syntax::{
    Argument, Base, Command, Copy, EnvValue, Healthcheck, Instruction, Key, Line, Mount, MountId, Run, Script, Sharing,
    ShellValue, Stage, StageName, Syntax, Variable,
};

fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}

fn env(pairs: &[(&str, &str)]) -> Instruction {
    Instruction::Env(pairs.iter().map(|(key, text)| (Key::new(key).unwrap(), EnvValue::Text(line(text)))).collect())
}

fn copy(sources: &[&str], destination: &str) -> Instruction {
    let sources = sources.iter().map(|&source| source.to_owned()).collect();
    Instruction::Copy(Copy { from: None, owner: None, sources, destination: destination.to_owned() })
}

fn run(words: &[&str]) -> Instruction {
    Instruction::Run(Run { mounts: Vec::new(), script: Command::new(words.iter().copied()).into() })
}

#[test]
fn a_file_reads_like_written_by_hand() {
    let syntax = Syntax {
        header: vec!["Made for a test.".into(), String::new(), "Second\r line".into()],
        arguments: vec![Argument { name: Variable::new("NODE").unwrap(), default: Some(line("node:22-slim")) }],
        stages: vec![
            Stage {
                name: StageName::new("base").unwrap(),
                base: Base::Argument(Variable::new("NODE").unwrap()),
                comment: None,
                instructions: vec![Instruction::Workdir(line("/app")), env(&[("A", "1"), ("B", "x y")])],
            },
            Stage {
                name: StageName::new("api").unwrap(),
                base: Base::Stage(StageName::new("base").unwrap()),
                comment: Some("Why\nindeed.".into()),
                instructions: vec![
                    Instruction::Label(vec![(Key::new("a b").unwrap(), line("$x"))]),
                    copy(&["package.json"], "./"),
                    Instruction::User(line("node")),
                    Instruction::Expose(3000),
                    Instruction::Healthcheck(Healthcheck {
                        interval: 30,
                        timeout: 5,
                        start_period: 30,
                        retries: 3,
                        command: vec!["node".into(), "-e".into(), "x\ny".into()],
                    }),
                    Instruction::Entrypoint(vec!["tini".into(), "--".into()]),
                    Instruction::Cmd(vec!["node".into(), "it's \"$x\".js".into()]),
                ],
            },
        ],
    };
    assert_snapshot!(syntax, @r#"
    # Made for a test.
    #
    # Second  line

    ARG NODE=node:22-slim

    FROM ${NODE} AS base
    WORKDIR /app
    ENV A=1 B="x y"

    # Why
    # indeed.
    FROM base AS api
    LABEL "a b"="\$x"
    COPY package.json ./
    USER node
    EXPOSE 3000
    HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
        CMD ["node", "-e", "x\ny"]
    ENTRYPOINT ["tini", "--"]
    CMD ["node", "it's \"$x\".js"]
    "#);
}

#[test]
fn long_lists_are_broken_between_words() {
    let files: Vec<String> = (0..12).map(|index| format!("packages/some/file-{index}.json")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_snapshot!(copy(&files, "packages/some/"), @r"
    COPY packages/some/file-0.json packages/some/file-1.json packages/some/file-2.json packages/some/file-3.json \
        packages/some/file-4.json packages/some/file-5.json packages/some/file-6.json packages/some/file-7.json \
        packages/some/file-8.json packages/some/file-9.json packages/some/file-10.json \
        packages/some/file-11.json packages/some/
    ");
    assert_snapshot!(copy(&["app/[id]/page.tsx", "app/$x.tsx"], "app/"), @r#"COPY ["app/[[]id]/page.tsx", "app/\\$x.tsx", "app/"]"#);
    let long = "v".repeat(60);
    assert_snapshot!(env(&[("ONE", &long), ("TWO", &long), ("#3", "x")]), @r##"
    ENV ONE=vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv \
        TWO=vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv "#3"=x
    "##);
}

#[test]
fn commands_are_quoted_for_the_shell() {
    assert_snapshot!(run(&["npm", "run", "build"]), @"RUN npm run build");
    assert_snapshot!(run(&["npm", "run", "it's $HOME #1"]), @r"RUN npm run 'it'\''s $HOME #1'");
    assert_snapshot!(run(&["npm", "run", "two\nlines\\"]), @r#"RUN ["/bin/sh", "-c", "npm run 'two\nlines\\'"]"#);
    assert_snapshot!(run(&["[", "a", "]"]), @"RUN '[' a ']'");
}

#[test]
fn mounts_and_chains_take_a_line_each() {
    let cache = |id: &str, target| Mount::Cache { id: MountId::new(id).unwrap(), target, sharing: Sharing::Locked };
    let secret = |id: &str, target| Mount::Secret { id: MountId::new(id).unwrap(), target };
    let install = Run {
        mounts: vec![cache("apt", "/var/cache/apt"), cache("lists", "/var/lib/apt/lists")],
        script: Script {
            commands: vec![Command::new(["apt-get", "update"]), Command::new(["apt-get", "install", "-y", "g++"])],
        },
    };
    assert_snapshot!(Instruction::Run(install), @r"
    RUN --mount=type=cache,id=apt,target=/var/cache/apt,sharing=locked \
        --mount=type=cache,id=lists,target=/var/lib/apt/lists,sharing=locked \
        apt-get update \
        && apt-get install -y g++
    ");
    let ci = Run {
        mounts: vec![secret("npmrc", Some("/root/.npmrc")), Mount::Ssh],
        script: Command {
            environment: vec![
                ("A".into(), ShellValue::Text("x y".into())),
                ("B".into(), ShellValue::Text(String::new())),
                ("TOKEN".into(), ShellValue::Secret(MountId::new("TOKEN").unwrap())),
            ],
            words: vec!["npm".into(), "ci".into()],
        }
        .into(),
    };
    assert_snapshot!(Instruction::Run(ci), @r#"
    RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
        --mount=type=ssh \
        A='x y' B= TOKEN="$(cat /run/secrets/TOKEN 2>/dev/null)" npm ci
    "#);
    let odd = Command {
        environment: vec![
            ("npm_config_@acme:registry".into(), ShellValue::Text("a b".into())),
            ("TOKEN".into(), ShellValue::Secret(MountId::new("TOKEN").unwrap())),
        ],
        words: vec!["npm".into(), "ci".into()],
    };
    assert_snapshot!(Instruction::Run(Run { mounts: Vec::new(), script: odd.into() }), @r#"RUN env 'npm_config_@acme:registry=a b' TOKEN="$(cat /run/secrets/TOKEN 2>/dev/null)" npm ci"#);
}
