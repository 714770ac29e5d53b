import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.hl7.fhir.common.hapi.validation.support.CachingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/**
 * Has HAPI judge resources of FHIR R4: each line of the files that are named is one, as JSON. A line of output for each
 * error, as FILE:LINE, and at the end how much there was.
 *
 * <p>Each resource is held against the definitions of R4 and against the profiles that it names in meta.profile. Nothing
 * is asked of other machines: that a code of LOINC is not looked up there is a warning, and warnings are passed over.
 */
public final class JudgeFhir {
  private final FhirValidator validator;

  private JudgeFhir() {
    FhirContext context = FhirContext.forR4();
    UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(context);
    ValidationSupportChain chain =
        new ValidationSupportChain(
            new DefaultProfileValidationSupport(context),
            new CommonCodeSystemsTerminologyService(context),
            new InMemoryTerminologyServerValidationSupport(context),
            unknown);
    validator = context.newValidator();
    validator.registerValidatorModule(new FhirInstanceValidator(new CachingValidationSupport(chain)));
  }

  public static void main(String[] files) throws Exception {
    JudgeFhir judge = new JudgeFhir();
    // Two, as the machine of the tests has; the validator may be asked by several at once.
    ExecutorService threads = Executors.newFixedThreadPool(2);
    long resources = 0;
    long errors = 0;
    for (String file : files) {
      List<Future<List<String>>> judged = new ArrayList<>();
      for (String line : Files.readAllLines(Path.of(file), StandardCharsets.UTF_8)) {
        judged.add(threads.submit(() -> judge.errors(line)));
      }
      for (int line = 0; line < judged.size(); line++) {
        for (String error : judged.get(line).get()) {
          System.out.println(Path.of(file).getFileName() + ":" + (line + 1) + " " + error);
          errors++;
        }
      }
      resources += judged.size();
    }
    threads.shutdown();
    System.out.println("judged: " + resources + " resources, " + errors + " errors");
  }

  private List<String> errors(String resource) {
    List<String> errors = new ArrayList<>();
    for (SingleValidationMessage message : validator.validateWithResult(resource).getMessages()) {
      if (message.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0) {
        String text = message.getMessage().replaceAll("\\s+", " ");
        errors.add(message.getLocationString() + ": " + text);
      }
    }
    return errors;
  }
}
