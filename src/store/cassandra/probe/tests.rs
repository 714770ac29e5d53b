//! Servers of every kind, and what is told of them.

use tokio::net::TcpListener;

use super::*;
use crate::secret::Secret;

/// What a server does with a connection.
enum Behaviour {
    /// Accepts and says nothing.
    Silence,
    /// Answers every request with the next of these.
    Answers(Vec<Vec<u8>>),
    /// Ends the connection.
    End,
}

async fn serve(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        match behaviour {
            Behaviour::Silence => std::future::pending().await,
            Behaviour::End => {}
            Behaviour::Answers(answers) => {
                for answer in answers {
                    let mut request = [0; 256];
                    let length = stream.read(&mut request).await.unwrap();
                    assert!(length > 0, "the probe left early");
                    stream.write_all(&answer).await.unwrap();
                }
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.unwrap();
            }
        }
    });
    node
}

fn frame(opcode: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![REQUEST_V4 | RESPONSE_BIT, 0, 0, 0, opcode];
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

async fn fault(node: &str) -> Fault {
    fault_for(node, &NodeAccess::default()).await
}

async fn fault_for(node: &str, access: &NodeAccess) -> Fault {
    match probe(&[node.to_owned()], access).await {
        Err(CassandraError::NoNode(faults)) => faults.into_iter().next().unwrap().fault,
        other => panic!("{other:?}"),
    }
}

/// A port that was free a moment ago.
async fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_server_that_is_ready_can_be_used() {
    let node = serve(Behaviour::Answers(vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_READY, &[])])).await;
    assert_eq!(
        probe(std::slice::from_ref(&node), &NodeAccess::default()).await,
        Ok(vec![(node.parse().unwrap(), node.clone())])
    );
}

#[tokio::test]
async fn a_node_that_is_not_there_is_told() {
    assert_eq!(fault(&closed_port().await).await, Fault::Refused);
    assert!(matches!(fault("no-such-host.invalid:9042").await, Fault::Unresolved(_)));
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_silent_within_five_seconds() {
    let node = serve(Behaviour::Silence).await;
    let start = tokio::time::Instant::now();
    assert_eq!(fault(&node).await, Fault::Silent);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_is_no_cassandra_or_does_not_let_us_in_is_told() {
    let authenticator = text("org.apache.cassandra.auth.PasswordAuthenticator");
    let version = [&0x000A_u32.to_be_bytes()[..], &text("Invalid or unsupported protocol version (4)")].concat();
    let cases = [
        ("a web server", vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()], Fault::NotCql),
        ("absurd length", vec![vec![0x84, 0, 0, 0, OPCODE_SUPPORTED, 0x7f, 0xff, 0xff, 0xff]], Fault::NotCql),
        (
            "a password",
            vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_AUTHENTICATE, &authenticator)],
            Fault::WantsPassword { authenticator: "PasswordAuthenticator".to_owned() },
        ),
        (
            "an error",
            vec![frame(OPCODE_ERROR, &version)],
            Fault::Refuses("Invalid or unsupported protocol version (4)".to_owned()),
        ),
    ];
    for (case, answers, expected) in cases {
        assert_eq!(fault(&serve(Behaviour::Answers(answers)).await).await, expected, "{case}");
    }
    assert_eq!(fault(&serve(Behaviour::End).await).await, Fault::HungUp, "it hangs up");
    let alert = vec![vec![0x15, 3, 3, 0, 2, 2, 80]];
    assert_eq!(fault(&serve(Behaviour::Answers(alert)).await).await, Fault::WantsTls);
}

#[tokio::test]
async fn one_node_that_is_ready_is_enough() {
    let ready = serve(Behaviour::Answers(vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_READY, &[])])).await;
    let nodes = [closed_port().await, ready.clone()];
    assert_eq!(probe(&nodes, &NodeAccess::default()).await, Ok(vec![(ready.parse().unwrap(), ready.clone())]));
}

#[tokio::test]
async fn a_silent_node_does_not_hold_up_one_that_is_ready() {
    let ready = serve(Behaviour::Answers(vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_READY, &[])])).await;
    let start = tokio::time::Instant::now();
    assert_eq!(
        probe(&[serve(Behaviour::Silence).await, ready.clone()], &NodeAccess::default()).await,
        Ok(vec![(ready.parse().unwrap(), ready.clone())])
    );
    assert!(start.elapsed() < ANSWER_LIMIT);
}

#[tokio::test]
async fn every_node_is_named_when_none_can_be_used() {
    let nodes = [closed_port().await, serve(Behaviour::End).await];
    let text = probe(&nodes, &NodeAccess::default()).await.unwrap_err().to_string();
    assert!(text.contains(&format!("{}: nothing listens there", nodes[0])), "{text}");
    assert!(text.contains(&format!("{}: it hung up at the first request", nodes[1])), "{text}");
}

/// A node that asks for a password, and what it says to any.
async fn refusing(answer: Vec<u8>) -> (Fault, NodeAccess) {
    let asks = frame(OPCODE_AUTHENTICATE, &text("com.example.SomeAuthenticator"));
    let node = serve(Behaviour::Answers(vec![frame(OPCODE_SUPPORTED, b"\0\0"), asks, answer])).await;
    let login = NodeLogin { role: "ward".to_owned(), password: Secret::new("pencil") };
    let access = NodeAccess { login: Some(login), ..NodeAccess::default() };
    (fault_for(&node, &access).await, access)
}

#[tokio::test]
async fn a_wrong_password_is_told_apart_from_a_cluster_that_cannot_look_now() {
    let said = |words: &str| frame(OPCODE_ERROR, &[&BAD_CREDENTIALS[..], &text(words)].concat());
    for words in ["Provided username ward and/or password are incorrect", "ward is not permitted to log in"] {
        let (fault, access) = refusing(said(words)).await;
        assert_eq!(fault, Fault::NotLetIn(words.to_owned()));
        assert!(!format!("{access:?}").contains("pencil"));
    }
    let words = "Unable to perform authentication: Cannot achieve consistency level QUORUM";
    assert_eq!(refusing(said(words)).await.0, Fault::Refuses(words.to_owned()));
    assert_eq!(
        refusing(frame(OPCODE_AUTH_CHALLENGE, b"\0\0\0\0")).await.0,
        Fault::Challenges { authenticator: "SomeAuthenticator".to_owned() },
        "a password is all that there is"
    );
}

#[tokio::test]
async fn a_password_is_sent_as_sasl_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 256];
        let asks = frame(OPCODE_AUTHENTICATE, &text("PasswordAuthenticator"));
        for answer in [frame(OPCODE_SUPPORTED, b"\0\0"), asks] {
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(&answer).await.unwrap();
        }
        let length = stream.read(&mut request).await.unwrap();
        stream.write_all(&frame(OPCODE_AUTH_SUCCESS, &[0xff; 4])).await.unwrap();
        request[..length].to_vec()
    });
    let login = NodeLogin { role: "ward".to_owned(), password: Secret::new("pencil") };
    let access = NodeAccess { login: Some(login), ..NodeAccess::default() };
    assert_eq!(probe(&[node.to_string()], &access).await, Ok(vec![(node, node.to_string())]));
    let request = server.await.unwrap();
    let proof = b"\0ward\0pencil";
    let head = [REQUEST_V4, 0, 0, 0, OPCODE_AUTH_RESPONSE, 0, 0, 0, 16, 0, 0, 0, 12];
    assert_eq!(request, [&head[..], proof].concat());
}
