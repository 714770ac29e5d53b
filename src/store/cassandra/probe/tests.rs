use tokio::net::TcpListener;

use super::*;

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
    match probe(&[node.to_owned()]).await {
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
    assert_eq!(probe(std::slice::from_ref(&node)).await, Ok(vec![node.parse().unwrap()]));
}

#[tokio::test]
async fn nothing_that_listens_is_told_at_once() {
    assert_eq!(fault(&closed_port().await).await, Fault::Refused);
}

#[tokio::test]
async fn a_name_without_an_address_is_told() {
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
async fn a_web_server_does_not_speak_cql() {
    let node = serve(Behaviour::Answers(vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()])).await;
    assert_eq!(fault(&node).await, Fault::NotCql);
}

#[tokio::test]
async fn a_server_that_hangs_up_does_not_speak_cql() {
    assert_eq!(fault(&serve(Behaviour::End).await).await, Fault::NotCql);
}

#[tokio::test]
async fn an_answer_of_absurd_length_does_not_speak_cql() {
    let node = serve(Behaviour::Answers(vec![vec![0x84, 0, 0, 0, OPCODE_SUPPORTED, 0x7f, 0xff, 0xff, 0xff]])).await;
    assert_eq!(fault(&node).await, Fault::NotCql);
}

#[tokio::test]
async fn a_server_that_asks_for_a_password_is_told_by_its_authenticator() {
    let authenticator = text("org.apache.cassandra.auth.PasswordAuthenticator");
    let answers = vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_AUTHENTICATE, &authenticator)];
    let fault = fault(&serve(Behaviour::Answers(answers)).await).await;
    assert_eq!(fault, Fault::WantsPassword { authenticator: "PasswordAuthenticator".to_owned() });
}

#[tokio::test]
async fn what_a_server_says_when_it_refuses_is_told() {
    let mut body = 0x000A_u32.to_be_bytes().to_vec();
    body.extend(text("Invalid or unsupported protocol version (4)"));
    let fault = fault(&serve(Behaviour::Answers(vec![frame(OPCODE_ERROR, &body)])).await).await;
    assert_eq!(fault, Fault::Refuses("Invalid or unsupported protocol version (4)".to_owned()));
}

#[tokio::test]
async fn one_node_that_is_ready_is_enough() {
    let ready = serve(Behaviour::Answers(vec![frame(OPCODE_SUPPORTED, b"\0\0"), frame(OPCODE_READY, &[])])).await;
    let nodes = [closed_port().await, ready.clone()];
    assert_eq!(probe(&nodes).await, Ok(vec![ready.parse().unwrap()]));
}

#[tokio::test]
async fn every_node_is_named_when_none_can_be_used() {
    let nodes = [closed_port().await, serve(Behaviour::End).await];
    let text = probe(&nodes).await.unwrap_err().to_string();
    assert!(text.contains(&format!("{}: nothing listens there", nodes[0])), "{text}");
    assert!(text.contains(&format!("{}: what listens there does not speak CQL", nodes[1])), "{text}");
}
