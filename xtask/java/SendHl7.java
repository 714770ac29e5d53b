import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.app.Connection;
import ca.uhn.hl7v2.llp.HL7Writer;
import ca.uhn.hl7v2.llp.LLPException;
import ca.uhn.hl7v2.llp.MinLowerLayerProtocol;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.model.Varies;
import ca.uhn.hl7v2.model.v26.datatype.NM;
import ca.uhn.hl7v2.model.v26.datatype.SN;
import ca.uhn.hl7v2.model.v26.datatype.ST;
import ca.uhn.hl7v2.model.v26.group.ORU_R01_ORDER_OBSERVATION;
import ca.uhn.hl7v2.model.v26.message.ORU_R01;
import ca.uhn.hl7v2.model.v26.segment.MSH;
import ca.uhn.hl7v2.model.v26.segment.OBX;
import ca.uhn.hl7v2.util.Terser;
import ca.uhn.hl7v2.validation.impl.ValidationContextFactory;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Has HAPI send observations as HL7 v2.6, as monitors do: SendHl7 HOST PORT COUNT CONNECTIONS RATE LEDGER.
 *
 * <p>Each connection sends a message, waits for its answer, and sends it again until there is one. It goes on until there
 * are COUNT answers and a file LEDGER.end. What was answered is in the ledger, a line each: the number of the message, the
 * answer and those that are right, and the readings that it stands for.
 *
 * <p>There are ten shapes of messages, by their number, and on every fourth connection the last segment has no end.
 */
public final class SendHl7 {
  private static final int SHAPES = 10;
  private static final long STEP_MILLIS = 10;
  /** Who hears nothing for so long sends again. */
  private static final int ANSWER_SECONDS = 3;

  private static final DateTimeFormatter AS_STORED = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss");
  private static final DateTimeFormatter AS_SENT = DateTimeFormatter.ofPattern("yyyyMMddHHmmss.SSSxx");

  private final String host;
  private final int port;
  private final int count;
  private final long pauseMillis;
  private final Path end;
  private final PrintWriter ledger;
  private final AtomicInteger next = new AtomicInteger();
  private final AtomicInteger answered = new AtomicInteger();
  private final AtomicInteger again = new AtomicInteger();
  /** Before this there is room for the times of many messages until the present. */
  private final Instant begin = Instant.now().minus(Duration.ofHours(6)).truncatedTo(ChronoUnit.SECONDS);

  private SendHl7(String[] words) throws IOException {
    host = words[0];
    port = Integer.parseInt(words[1]);
    count = Integer.parseInt(words[2]);
    pauseMillis = 1000L * Integer.parseInt(words[3]) / Integer.parseInt(words[4]);
    end = Path.of(words[5] + ".end");
    ledger = new PrintWriter(Files.newBufferedWriter(Path.of(words[5]), StandardCharsets.UTF_8));
  }

  public static void main(String[] words) throws Exception {
    SendHl7 all = new SendHl7(words);
    List<Thread> connections = new ArrayList<>();
    for (int number = 0; number < Integer.parseInt(words[3]); number++) {
      boolean isTerse = number % 4 == 3;
      Thread connection = new Thread(() -> all.work(isTerse));
      connection.start();
      connections.add(connection);
    }
    for (Thread connection : connections) {
      connection.join();
    }
    all.ledger.close();
    System.out.println("answered: " + all.answered + " messages, of which " + all.again + " times one was sent again");
    // HAPI's own threads need not be waited for.
    System.exit(0);
  }

  private void work(boolean isTerse) {
    // Connections of one context to one place are one connection.
    HapiContext context = new DefaultHapiContext();
    context.setValidationContext(ValidationContextFactory.noValidation());
    context.setLowerLayerProtocol(isTerse ? new Terse() : new MinLowerLayerProtocol(true));
    try {
      while (answered.get() < count || !Files.exists(end)) {
        Sent sent = new Sent(next.getAndIncrement());
        String answer = answer(context, sent);
        synchronized (ledger) {
          ledger.println(sent.line(answer));
          ledger.flush();
        }
        answered.incrementAndGet();
        Thread.sleep(pauseMillis);
      }
    } catch (HL7Exception | InterruptedException error) {
      error.printStackTrace();
      System.exit(1);
    }
  }

  /** What is said of the message, however often it has to be sent. */
  private String answer(HapiContext context, Sent sent) throws InterruptedException {
    while (true) {
      Connection connection = null;
      try {
        connection = context.newClient(host, port, false);
        connection.getInitiator().setTimeout(ANSWER_SECONDS, TimeUnit.SECONDS);
        Message answer = connection.getInitiator().sendAndReceive(sent.message);
        return new Terser(answer).get("/MSA-1");
      } catch (HL7Exception | LLPException | IOException | RuntimeException error) {
        again.incrementAndGet();
        close(connection);
        Thread.sleep(100);
      }
    }
  }

  /** The next is a new one: a late answer would be taken for that to another message. */
  private static void close(Connection connection) {
    try {
      if (connection != null) {
        connection.close();
      }
    } catch (IOException error) {
      // It is gone, as it should be.
    }
  }

  /** Ends no message's last segment. */
  private static final class Terse extends MinLowerLayerProtocol {
    Terse() {
      super(true);
    }

    @Override
    public HL7Writer getWriter(OutputStream out) throws LLPException {
      HL7Writer writer = super.getWriter(out);
      return new HL7Writer() {
        @Override
        public void writeMessage(String message) throws LLPException, IOException {
          writer.writeMessage(message.replaceAll("\r+$", ""));
        }

        @Override
        public void setOutputStream(OutputStream out) throws IOException {
          writer.setOutputStream(out);
        }

        @Override
        public void close() throws IOException {
          writer.close();
        }
      };
    }
  }

  /** A message, and what it stands for. */
  private final class Sent {
    private final int number;
    private final ORU_R01 message = new ORU_R01();
    private final List<String> readings = new ArrayList<>();
    private final Instant time;
    private String patient;
    private String right = "AA";
    /** Of the reading that is being made: its signs, for the ledger. */
    private String signs = "";

    Sent(int number) throws HL7Exception {
      this.number = number;
      time = begin.plusMillis(number * STEP_MILLIS);
      patient = "H" + number % 7;
      MSH header = message.getMSH();
      // By hand: what HAPI has for this leaves a file with numbers in the folder.
      header.getFieldSeparator().setValue("|");
      header.getEncodingCharacters().setValue("^~\\&");
      header.getMessageType().getMessageCode().setValue("ORU");
      header.getMessageType().getTriggerEvent().setValue("R01");
      header.getMessageType().getMessageStructure().setValue("ORU_R01");
      header.getProcessingID().getProcessingID().setValue("P");
      header.getVersionID().getVersionID().setValue("2.6");
      header.getSendingApplication().getNamespaceID().setValue("HAPI");
      header.getMessageControlID().setValue(Integer.toString(number));
      header.getDateTimeOfMessage().setValue(written(time, ZoneOffset.UTC));
      shape(header);
      message.getPATIENT_RESULT().getPATIENT().getPID().getPatientIdentifierList(0).getIDNumber().setValue(patient);
    }

    private void shape(MSH header) throws HL7Exception {
      switch (number % SHAPES) {
        case 0: // LOINC; each value with a time of its own, in another zone.
          observe(0, 0, "8867-4", "LN", number("NM", rate()), "/min", zoned("+01:00"));
          observe(0, 1, "59408-5", "LN", number("NM", 85 + number % 16), "%", zoned("+01:00"));
          signs("heart_rate", rate());
          signs("spo2", 85 + number % 16);
          keep(time);
          break;
        case 1: // MDC; the answer is one of the receiver, not of its application.
          accept(header, "AL", "NE");
          observe(0, 0, "147842", "MDC", number("NM", rate()), "264864", zoned("Z"));
          observe(0, 1, "151562", "MDC", number("NM", 10 + number % 15), "264928", zoned("Z"));
          signs("heart_rate", rate());
          signs("respiratory_rate", 10 + number % 15);
          keep(time);
          break;
        case 2: // The codes of a vendor.
          observe(0, 0, "0002-4182", "MDIL", number("NM", rate()), "0004-0aa0", zoned("Z"));
          observe(0, 1, "0002-4bb8", "MDIL", number("NM", 85 + number % 16), "0004-0220", zoned("Z"));
          signs("heart_rate", rate());
          signs("spo2", 85 + number % 16);
          keep(time);
          break;
        case 3: // Fahrenheit, and the time of the order.
          order(0, time);
          observe(0, 0, "8310-5", "LN", text("NM", Double.toString(95 + number % 10 * 0.9)), "[degF]", null);
          signs("temperature", 35 + number % 10 * 0.5);
          keep(time);
          break;
        case 4: // Two orders, each with a time.
          Instant later = time.plus(Duration.ofHours(2));
          order(0, time);
          order(1, later);
          observe(0, 0, "8480-6", "LN", number("NM", 100 + number % 60), "mm[Hg]", null);
          observe(0, 1, "8462-4", "LN", number("NM", 60 + number % 30), "mm[Hg]", null);
          observe(1, 0, "8867-4", "LN", number("NM", rate()), "/min", null);
          signs("systolic", 100 + number % 60);
          signs("diastolic", 60 + number % 30);
          keep(time);
          signs("heart_rate", rate());
          keep(later);
          break;
        case 5:
          named(header, "UNICODE UTF-8", "山田-Zoë-" + number % 7);
          break;
        case 6:
          named(header, "8859/1", "Zoë-Å-" + number % 7);
          break;
        case 7: // What has to be escaped, in the id and in what nobody reads.
          named(header, null, "a|b^c~d\\e&f-" + number % 7);
          break;
        case 8: // Both answers; kilopascals; nothing, and what is not known, between.
          accept(header, "AL", "AL");
          // HAPI gives whichever of the two it comes upon.
          right = "CA AA";
          observe(0, 0, "8480-6", "LN", text("NM", "16"), "kPa", zoned("-03:30"));
          observe(0, 1, "8867-4", "LN", text("NM", ""), "/min", zoned("-03:30"));
          observe(0, 2, "nobody-knows", "LN", text("ST", "what | this is"), "", zoned("-03:30"));
          signs("systolic", 120);
          keep(time);
          break;
        default: // A structured number; every second one is no number.
          observe(0, 0, "8867-4", "LN", structured(rate()), "/min", zoned("Z"));
          if (number / SHAPES % 2 == 1) {
            observe(0, 1, "9279-1", "LN", text("ST", "fast"), "/min", zoned("Z"));
            right = "AE";
          } else {
            signs("heart_rate", rate());
            keep(time);
          }
      }
    }

    private void named(MSH header, String charset, String id) throws HL7Exception {
      if (charset != null) {
        header.getCharacterSet(0).setValue(charset);
      }
      patient = id;
      message.getPATIENT_RESULT().getPATIENT().getPID().getPatientName(0).getFamilyName().getSurname().setValue(id);
      observe(0, 0, "8867-4", "LN", text("ST", Integer.toString(rate())), "/min", zoned("Z"));
      signs("heart_rate", rate());
      keep(time);
    }

    private void accept(MSH header, String accept, String application) throws HL7Exception {
      header.getAcceptAcknowledgmentType().setValue(accept);
      header.getApplicationAcknowledgmentType().setValue(application);
      right = "CA";
    }

    private int rate() {
      return 50 + number % 100;
    }

    private String zoned(String zone) {
      return written(time, ZoneOffset.of(zone));
    }

    private String written(Instant time, ZoneOffset zone) {
      return time.atOffset(zone).format(AS_SENT);
    }

    private void order(int order, Instant time) throws HL7Exception {
      String written = written(time, ZoneOffset.UTC);
      message.getPATIENT_RESULT().getORDER_OBSERVATION(order).getOBR().getObservationDateTime().setValue(written);
    }

    private ca.uhn.hl7v2.model.Type number(String type, int value) throws HL7Exception {
      return text(type, Integer.toString(value));
    }

    private ca.uhn.hl7v2.model.Type text(String type, String value) throws HL7Exception {
      if (type.equals("NM")) {
        NM number = new NM(message);
        number.setValue(value);
        return number;
      }
      ST text = new ST(message);
      text.setValue(value);
      return text;
    }

    private ca.uhn.hl7v2.model.Type structured(int value) throws HL7Exception {
      SN number = new SN(message);
      number.getNum1().setValue(Integer.toString(value));
      return number;
    }

    private void observe(
        int order, int place, String code, String system, ca.uhn.hl7v2.model.Type value, String unit, String time)
        throws HL7Exception {
      ORU_R01_ORDER_OBSERVATION group = message.getPATIENT_RESULT().getORDER_OBSERVATION(order);
      group.getOBR().getSetIDOBR().setValue(Integer.toString(order + 1));
      OBX observation = group.getOBSERVATION(place).getOBX();
      observation.getSetIDOBX().setValue(Integer.toString(place + 1));
      observation.getValueType().setValue(value.getName());
      observation.getObservationIdentifier().getIdentifier().setValue(code);
      observation.getObservationIdentifier().getNameOfCodingSystem().setValue(system);
      Varies field = observation.getObservationValue(0);
      field.setData(value);
      observation.getUnits().getIdentifier().setValue(unit);
      observation.getObservationResultStatus().setValue("F");
      if (time != null) {
        observation.getDateTimeOfTheObservation().setValue(time);
      }
    }

    private void signs(String name, Object value) {
      signs += ", \"" + name + "\": " + value;
    }

    /** The signs so far are a reading of this time. */
    private void keep(Instant time) {
      String stored = time.atOffset(ZoneOffset.UTC).format(AS_STORED);
      long millis = time.toEpochMilli() % 1000;
      stored += (millis == 0 ? "" : String.format(".%03d000", millis)) + "+00:00";
      readings.add("{\"patient_id\": " + quoted(patient) + ", \"timestamp\": \"" + stored + "\"" + signs + "}");
      signs = "";
    }

    String line(String answer) {
      return String.format(
          "{\"number\": %d, \"answer\": %s, \"right\": \"%s\", \"readings\": [%s]}",
          number, quoted(String.valueOf(answer)), right, String.join(", ", readings));
    }
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
