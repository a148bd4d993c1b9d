//! The harness's own promise: what a durable cluster has committed outlives its kill.

use crate::harness::DurableCluster;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_before_a_kill_is_there_after_it() {
    let mut cluster = DurableCluster::start().await;
    let database = cluster.database().await;
    let client = cluster.client("dispense_owner", &database.name).await;
    let fsync = client.query_one("select current_setting('fsync')", &[]).await.unwrap();
    assert_eq!(fsync.get::<_, String>(0), "on");
    client.batch_execute("create table kept (id int); insert into kept values (7)").await.unwrap();
    cluster.kill();
    assert!(client.batch_execute("select 1").await.is_err());
    cluster.restart().await;
    let again = cluster.client("dispense_owner", &database.name).await;
    assert_eq!(again.query_one("select id from kept", &[]).await.unwrap().get::<_, i32>(0), 7);
    assert!(cluster.log().contains("database system was not properly shut down"), "{}", cluster.log());
}
