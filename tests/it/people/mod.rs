mod access_token;
mod captcha;
mod code;
mod code_answers;
mod email;
mod password;
mod pending;
mod refresh;
mod register;
mod rights;
mod state;

use dispense::base::outcome::{Failure, Outcome};

/// The code of a refusal.
pub fn refused<T>(outcome: Outcome<T>) -> &'static str {
    match outcome {
        Ok(_) => panic!("this should have been refused"),
        Err(Failure::Refused(refusal)) => refusal.code.as_str(),
        Err(Failure::Fault(fault)) => panic!("a fault instead of a refusal: {fault}"),
    }
}
