-- migrate:up
CREATE TABLE dbmate (id int);

-- migrate:down
DELETE FROM customers;
