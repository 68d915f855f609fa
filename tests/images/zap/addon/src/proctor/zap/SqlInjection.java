package proctor.zap;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.parosproxy.paros.network.HttpMessage;

/**
 * ZAP's rule 40018: a parameter becomes part of a statement. Seen by the error of a data base, or by a condition: one
 * that is true changes nothing in the answer, one that is false does.
 */
public class SqlInjection extends ActiveRule {

    private static final Pattern DATABASE_ERROR =
            Pattern.compile(
                    "sqlite3\\.(OperationalError|ProgrammingError)|You have an error in your SQL syntax"
                            + "|unterminated quoted string|ORA-\\d{5}|unrecognized token");

    private record Condition(String isTrue, String isFalse) {}

    private static final List<Condition> CONDITIONS =
            List.of(
                    new Condition(" AND 1=1 -- ", " AND 1=2 -- "),
                    new Condition("' AND '1'='1' -- ", "' AND '1'='2' -- "));

    public SqlInjection() {
        super(40018, "SQL Injection", 89, 19);
    }

    @Override
    public void scan(HttpMessage original, String param, String value) {
        if (!byError(original, param, value + "'")) {
            byCondition(param, value);
        }
    }

    private boolean byError(HttpMessage original, String param, String attack) {
        HttpMessage answer = send(param, attack);
        Matcher error = DATABASE_ERROR.matcher(answer.getResponseBody().toString());
        boolean found = error.find() && !original.getResponseBody().toString().contains(error.group());
        if (found) {
            raise(answer, param, attack, error.group());
        }
        return found;
    }

    private void byCondition(String param, String value) {
        String unchanged = body(send(param, value));
        for (Condition condition : CONDITIONS) {
            if (isStop()) {
                return;
            }
            HttpMessage answer = send(param, value + condition.isTrue());
            boolean same = body(answer).equals(unchanged);
            // A parameter that changes nothing, or everything, proves nothing.
            if (same && !body(send(param, value + condition.isFalse())).equals(unchanged)) {
                raise(answer, param, value + condition.isTrue(), "");
                return;
            }
        }
    }

    private static String body(HttpMessage answer) {
        return answer.getResponseHeader().getStatusCode() + answer.getResponseBody().toString();
    }
}
