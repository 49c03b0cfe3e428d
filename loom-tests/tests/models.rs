//! All executions of all models go well. One test, because loom's models share the processor
//! badly with each other, and their numbers of executions are worth a look (`--nocapture`).

#[test]
fn every_execution_of_every_model_goes_well() {
    for model in urcu_loom_tests::MODELS {
        println!("{}: {} executions", model.name, model.check());
    }
}
